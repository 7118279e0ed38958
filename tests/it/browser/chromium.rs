//! A headless Chromium of a test's own, driven step by step; it and its driver end with the test.

use serde_json::{Value as Json, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use thirtyfour::prelude::*;

/// How long a page may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the browser is set up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup {
    /// Whether pages may run scripts.
    pub(crate) no_script: bool,
    /// Whether it prefers dark pages.
    pub(crate) dark: bool,
}

/// A running browser.
pub(crate) struct Browser {
    runtime: tokio::runtime::Runtime,
    driver: Option<WebDriver>,
    process: Child,
    root: String,
}

impl Browser {
    /// Starts one that shows the pages of an address.
    pub(crate) fn start(root: &str, setup: Setup) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let process = Command::new("chromedriver")
            .args([format!("--port={port}"), "--silent".to_owned()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("no chromedriver: install Debian's chromium and chromium-driver, or run tests/run.sh, which does");
        // The client that speaks to the driver wants one, though it never uses TLS; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let driver = runtime.block_on(async {
            let mut caps = DesiredCapabilities::chrome();
            let mut args = vec![
                "--headless=new",
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--lang=en",
                "--hide-scrollbars",
            ];
            args.push(if setup.dark {
                "--blink-settings=preferredColorScheme=0"
            } else {
                "--blink-settings=preferredColorScheme=1"
            });
            for arg in args {
                caps.add_arg(arg).expect("an argument");
            }
            if setup.no_script {
                let prefs = json!({"profile.managed_default_content_settings.javascript": 2});
                caps.add_experimental_option("prefs", prefs).expect("an option");
            }
            let begun = Instant::now();
            loop {
                match WebDriver::new(format!("http://127.0.0.1:{port}"), caps.clone()).await {
                    Ok(driver) => break driver,
                    Err(error) => assert!(begun.elapsed() < PATIENCE, "chromium does not start: {error}"),
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let browser = Self { runtime, driver: Some(driver), process, root: root.to_owned() };
        browser.size(1280, 900);
        browser
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("only taken when dropped")
    }

    /// Gives the window another size.
    pub(crate) fn size(&self, width: u32, height: u32) {
        self.runtime.block_on(self.driver().set_window_rect(0, 0, width, height)).expect("resized");
    }

    /// Gives pages a screen of exactly this size, as a telephone or a page at 400 % has it; the window can't be that narrow.
    pub(crate) fn screen(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// Runs a script before those of every page that is opened from now on.
    pub(crate) fn at_every_page(&self, script: &str) {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": script}));
    }

    #[allow(deprecated, reason = "its successor wants a connection of its own")]
    fn devtools(&self, command: &str, params: Json) -> Json {
        let tools = thirtyfour::extensions::cdp::ChromeDevTools::new(std::sync::Arc::clone(self.driver().handle()));
        self.runtime.block_on(tools.execute_cdp_with_params(command, params)).expect(command)
    }

    /// Opens an address of the service.
    pub(crate) fn open(&self, path: &str) {
        self.runtime.block_on(self.driver().goto(format!("{}{path}", self.root))).expect(path);
    }

    /// Returns the path of the page that is shown.
    pub(crate) fn path(&self) -> String {
        let url = self.runtime.block_on(self.driver().current_url()).expect("an address");
        url.as_str().strip_prefix(&self.root).unwrap_or(url.as_str()).to_owned()
    }

    fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{what} never came; the page {} says:\n{}", self.path(), self.text());
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    /// Waits for an element.
    pub(crate) fn element(&self, css: &str) -> WebElement {
        self.wait(css, || self.runtime.block_on(self.driver().find(By::Css(css))).ok())
    }

    /// Clicks what a selector finds.
    pub(crate) fn click(&self, css: &str) {
        self.wait(css, || {
            let found = self.runtime.block_on(self.driver().find(By::Css(css))).ok()?;
            self.runtime.block_on(async {
                found.scroll_into_view().await.ok();
                found.click().await.ok()
            })
        });
    }

    /// Clicks what leads to another document, and waits until that has come: whoever opens an address right after a form
    /// was sent may otherwise be overtaken by the form's answer. Scripts must be allowed.
    pub(crate) fn click_through(&self, css: &str) {
        self.script("window.before = true;");
        self.click(css);
        self.wait("the next document", || (self.script("return window.before === undefined;") == true).then_some(()));
    }

    /// Clicks the button or link of this name.
    pub(crate) fn press(&self, name: &str) {
        let path = format!(
            "//main//*[self::button or self::a][normalize-space()='{name}' or starts-with(normalize-space(), '{name} ')]"
        );
        self.wait(name, || {
            let found = self.runtime.block_on(self.driver().find(By::XPath(path.as_str()))).ok()?;
            self.runtime.block_on(async {
                found.scroll_into_view().await.ok();
                found.click().await.ok()
            })
        });
    }

    /// Types into a field, after what is there.
    pub(crate) fn type_into(&self, css: &str, text: &str) {
        let field = self.element(css);
        self.runtime.block_on(field.send_keys(text)).expect(css);
    }

    /// Presses keys, wherever the focus is.
    pub(crate) fn keys(&self, keys: &str) {
        let pressed = async {
            // A file's field takes what it is sent for a path, so Tab goes to nobody; a letter that leads to another
            // page goes to an element, since the driver may press what goes to nobody there once more.
            if keys.starts_with('\u{e004}') {
                return self.driver().action_chain().send_keys(keys).perform().await;
            }
            self.driver().active_element().await?.send_keys(keys).await
        };
        self.runtime.block_on(pressed).expect("keys");
    }

    /// Returns the text of the page.
    pub(crate) fn text(&self) -> String {
        let body = self.runtime.block_on(async { self.driver().find(By::Tag("body")).await?.text().await });
        body.unwrap_or_default()
    }

    /// Waits until the page says something.
    pub(crate) fn says(&self, text: &str) {
        self.wait(&format!("{text:?}"), || self.text().contains(text).then_some(()));
    }

    /// Waits until the page's path begins so.
    pub(crate) fn at(&self, path: &str) {
        self.wait(path, || self.path().starts_with(path).then_some(()));
    }

    /// Waits until the page's path meets a condition, and returns it.
    pub(crate) fn path_that(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        self.wait(what, || Some(self.path()).filter(|p| is(p)))
    }

    /// Runs a script of the test's and returns what it returns.
    pub(crate) fn script(&self, script: &str) -> Json {
        let done = self.runtime.block_on(self.driver().execute(script, Vec::new())).expect("a script");
        done.json().clone()
    }

    /// Returns after how many milliseconds the page was first painted.
    pub(crate) fn first_paint(&self) -> f64 {
        let script =
            "return performance.getEntriesByName('first-contentful-paint').map((e) => e.startTime)[0] ?? null;";
        self.wait("a first paint", || self.script(script).as_f64())
    }

    /// Takes a picture of the whole page.
    pub(crate) fn picture(&self) -> Vec<u8> {
        self.runtime.block_on(self.driver().screenshot_as_png()).expect("a picture")
    }

    /// Says what axe finds that is serious or worse, one line each.
    pub(crate) fn axe(&self) -> Vec<String> {
        self.script(include_str!("axe.min.js"));
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations
            .filter((v) => ['serious', 'critical'].includes(v.impact))
            .map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ') + ' ' + (n.any[0] || n.all[0] || {message: ''}).message).join(' | '))));";
        let found = self.runtime.block_on(self.driver().execute_async(script, Vec::new())).expect("axe runs");
        serde_json::from_value(found.json().clone()).expect("lines")
    }

    /// Tells how much wider the page is than its window.
    pub(crate) fn overflow(&self) -> i64 {
        self.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth;")
            .as_i64()
            .expect("a number")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            // A session that is gone already needs no end.
            let _ = self.runtime.block_on(driver.quit());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
