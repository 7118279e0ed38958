//! The pages in a real browser: the whole flow by mouse, by keyboard alone and with script off, on SQLite and PostgreSQL;
//! every page without serious findings of axe, in light and dark, and at 320 pixels; many conflicts at once.

mod chromium;
mod crowd;
mod flow;
mod hostile;
mod shop;
mod shots;
mod site;
