//! `completions` and `man`: both made from the same definitions as `--help`.

use clap::CommandFactory;

use super::exit::Failure;
use super::{Cli, out};

/// Prints completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tetherline", &mut script);
    out::data(|out| out.write_all(&script))
}

/// Prints the manual page, with a section for every command.
pub(super) fn page() -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    out::data(|out| {
        clap_mangen::Man::new(command.clone()).render(out)?;
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let name = format!("tetherline {}", sub.get_name());
            let man = clap_mangen::Man::new(sub.clone());
            writeln!(out, ".SH \"COMMAND: {}\"", name.to_uppercase())?;
            man.render_description_section(out)?;
            man.render_options_section(out)?;
        }
        Ok(())
    })
}
