//! Running the service: listening, TLS, the log, and an end that leaves nothing half done.

use super::app::{App, Options};
use super::timetable::Timetable;
use super::{notify, people, router, service};
use crate::config::Config;
use crate::error::{Result, fail};
use crate::executor::Home;
use axum_server::Handle;
use std::net::SocketAddr;
use std::time::Duration;

/// How long open requests may take once the service is asked to end.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// How long a browser or program may take to send its headers (CHECKS T25).
const HEADERS: Duration = Duration::from_secs(20);

/// Runs the service until `stop` says so; running jobs are asked to roll back, and waited for.
///
/// # Errors
/// `Busy` when another service runs on the folder, `Failed` when it can't listen or the certificate can't be read.
pub fn run(
    home: Home,
    config: Config,
    options: Options,
    ready: &dyn Fn(&str),
    stop: impl Fn() -> bool + Send + 'static,
) -> Result<()> {
    log();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| fail!(Failed, "the service can't be started").because(e))?;
    let app = App::open(home, config, options)?;
    service::backups::sweep(&app)?;
    let listener = std::net::TcpListener::bind(app.options().listen)
        .and_then(|l| l.set_nonblocking(true).map(|()| l))
        .map_err(|e| {
            fail!(Failed, "the service can't listen on {}", app.options().listen)
                .because(e)
                .hint("Choose another address with --listen.")
        })?;
    let address = listener.local_addr()?;
    let scheme = if app.options().tls.is_some() { "https" } else { "http" };
    if people::needs_set_up(app.state())? {
        let secret = people::set_up_secret(app.state())?;
        ready(&format!(
            "Nobody is there yet. Open this link once to make the first administrator:\n  {scheme}://{address}/setup?secret={secret}"
        ));
    }
    ready(&format!("Listening on {scheme}://{address}"));
    let timetable = Timetable::start(app.clone())?;
    notify::tell("READY=1");
    let served = runtime.block_on(serve(app.clone(), listener, stop));
    notify::tell("STOPPING=1");
    app.jobs().stop_all();
    drop(timetable);
    // Executors look whether to stop between records; a commit that has begun is waited for.
    while !app.jobs().running().is_empty() {
        std::thread::sleep(Duration::from_millis(50));
    }
    runtime.shutdown_timeout(LAST_REQUESTS);
    served
}

async fn serve(app: App, listener: std::net::TcpListener, stop: impl Fn() -> bool + Send + 'static) -> Result<()> {
    let handle: Handle<SocketAddr> = Handle::new();
    let ending = {
        let (handle, app) = (handle.clone(), app.clone());
        tokio::spawn(async move {
            while !stop() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tracing::info!("ending");
            app.jobs().stop_all();
            handle.graceful_shutdown(Some(LAST_REQUESTS));
        })
    };
    let routes = router(&app).into_make_service_with_connect_info::<SocketAddr>();
    let failed = |e: std::io::Error| fail!(Failed, "the service can't go on").because(e);
    let served = match &app.options().tls {
        None => {
            let mut server = axum_server::from_tcp(listener).map_err(failed)?.handle(handle);
            patient(server.http_builder());
            server.serve(routes).await
        }
        Some((certificate, key)) => {
            // Nothing else in this process has chosen a provider; a second call changes nothing.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let tls = axum_server::tls_rustls::RustlsConfig::from_pem_file(certificate, key).await.map_err(|e| {
                fail!(Usage, "the certificate {} or its key {} can't be used", certificate.display(), key.display())
                    .because(e)
            })?;
            let mut server = axum_server::from_tcp_rustls(listener, tls).map_err(failed)?.handle(handle);
            patient(server.http_builder());
            server.serve(routes).await
        }
    };
    ending.abort();
    served.map_err(failed)
}

/// Bounds what a connection may take before it has asked anything.
fn patient(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(64 * 1024);
}

/// Writes the service's log to stderr, one JSON object a line, and keeps its last lines at hand; `MERGANSER_LOG_LEVEL` says how much.
fn log() {
    let level = tracing_subscriber::EnvFilter::try_from_env("MERGANSER_LOG_LEVEL")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("merganser=info"));
    // A second service in one process, in tests, keeps the first one's log.
    let _ = tracing_subscriber::fmt().json().with_env_filter(level).with_writer(|| super::logs::Log).try_init();
}
