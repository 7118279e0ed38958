//! The `merganser` program; everything it does is in the library.

fn main() -> std::process::ExitCode {
    merganser::cli::main()
}
