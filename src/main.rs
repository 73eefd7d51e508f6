//! The command-line program; all of it is in [`flowmap::cli`].

fn main() -> std::process::ExitCode {
    flowmap::cli::main()
}
