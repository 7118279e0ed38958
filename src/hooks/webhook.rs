//! Posts an event: signed, to the address that was looked up and allowed, never where a redirect leads (CHECKS: no way from
//! a configured address into the private network).

use super::{Event, Hook};
use crate::catalog::storage::ready_tls;
use crate::error::{Result, fail};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;
use url::Url;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Posts the event.
///
/// # Errors
/// `Usage` for an address that is not allowed; `Failed` when nobody answers, or with another code than 2xx.
pub(super) fn post(hook: &Hook, event: &Event) -> Result<()> {
    let text = hook.url.as_deref().unwrap_or_default();
    let url = Url::parse(text).map_err(|e| fail!(Usage, "the url of a hook is none").because(e))?;
    let place = url.host_str().unwrap_or_default().to_owned();
    if !matches!(url.scheme(), "http" | "https") {
        return Err(fail!(Usage, "a hook posts to http and https only, not to {}", url.scheme()));
    }
    let addresses = addresses(&url, hook.allow_private)?;
    let body = event.json();
    let secret = hook.secret_file.as_ref().map(|path| {
        std::fs::read(path)
            .map_err(|e| fail!(Failed, "the hook's secret can't be read from {}", path.display()).because(e))
    });
    let now = u64::try_from(chrono::Utc::now().timestamp()).unwrap_or(0);
    let signed = secret.transpose()?.map(|secret| signature(secret.trim_ascii_end(), now, &body));
    ready_tls();
    // The path of such a URL is often a secret of its own: only the host is named.
    let failed = |e: reqwest::Error| fail!(Failed, "posting to {place} failed").because(e.without_url());
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .no_proxy()
        .resolve_to_addrs(&place, &addresses)
        .build()
        .map_err(failed)?;
    let mut request = client
        .post(url)
        .header("content-type", "application/json")
        .header("user-agent", concat!("merganser/", env!("CARGO_PKG_VERSION")));
    if let Some(signed) = signed {
        request = request.header("x-merganser-signature", signed);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { request.body(body).send().await }).map_err(failed)?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(fail!(Failed, "{place} answered {status}")),
    }
}

/// Signs a body: `t=<seconds>,v1=<HMAC-SHA-256 of "seconds.body" in hexadecimal digits>`.
///
/// A receiver computes the same and refuses times that are too far from its own, so that nothing old can be sent again.
pub fn signature(secret: &[u8], at: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
    mac.update(format!("{at}.{body}").as_bytes());
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={digits}")
}

/// Looks the host up once; what was looked up is what is connected to.
fn addresses(url: &Url, allow_private: bool) -> Result<Vec<SocketAddr>> {
    let host = url.host().ok_or_else(|| fail!(Usage, "the url of a hook has no host"))?;
    let port = url.port_or_known_default().unwrap_or(443);
    let found: Vec<SocketAddr> = match host {
        url::Host::Ipv4(ip) => vec![(ip, port).into()],
        url::Host::Ipv6(ip) => vec![(ip, port).into()],
        url::Host::Domain(name) => (name, port)
            .to_socket_addrs()
            .map_err(|e| fail!(Failed, "the host {name} of a hook is not known").because(e))?
            .collect(),
    };
    match found.iter().find(|address| !allow_private && is_private(address.ip())) {
        Some(address) => Err(fail!(Usage, "a hook's host has the private address {}", address.ip())
            .hint("Set allow_private = true in the hook if that is meant.")),
        None => Ok(found),
    }
}

/// Tells addresses that lead nowhere public (IANA special-purpose registries).
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || (a == 100 && (64..128).contains(&b))
                || (a, b, c) == (192, 0, 0)
                || (a == 198 && (18..20).contains(&b))
                || a >= 240
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            // Several forms hold an IPv4 address: mapped, compatible, NAT64, 6to4.
            let inner = match ip.segments() {
                [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some((high, low)),
                [0x2002, high, low, ..] => Some((high, low)),
                _ => None,
            };
            let inner = inner.map(|(high, low)| {
                let [a, b] = high.to_be_bytes();
                let [c, d] = low.to_be_bytes();
                IpAddr::from([a, b, c, d])
            });
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || inner.is_some_and(is_private)
        }
    }
}
