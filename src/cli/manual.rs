//! `completions` and `man`: both made from the same definitions as `--help`.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::exit::Failure;
use super::{Cli, EXIT_CODES, SENDERS, out};

/// Prints completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tetherline", &mut script);
    out::data(|out| out.write_all(&script))
}

/// Prints the manual page.
pub(super) fn page() -> Result<(), Failure> {
    out::data(write_page)
}

/// One page for all commands, each in a section with its usage and options; the commands of a command follow it.
fn write_page(out: &mut dyn Write) -> io::Result<()> {
    let command = without_help(Cli::command());
    let man = Man::new(command.clone());
    man.render_title(out)?;
    man.render_name_section(out)?;
    writeln!(out, ".SH SYNOPSIS\n.B tetherline\n.I COMMAND\n[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]")?;
    man.render_description_section(out)?;
    writeln!(out, ".PP\n{}", roff(SENDERS))?;
    writeln!(out, ".SH COMMANDS")?;
    for sub in command.get_subcommands() {
        write_command(out, sub)?;
    }
    writeln!(out, ".SH EXIT STATUS")?;
    for (code, meaning) in EXIT_CODES {
        writeln!(out, ".TP\n.B {code}\n{}", roff(meaning))?;
    }
    Ok(())
}

fn write_command(out: &mut dyn Write, command: &Command) -> io::Result<()> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    for (index, way) in usage.lines().map(str::trim).enumerate() {
        let way = roff(way);
        if index == 0 { writeln!(out, ".SS \"{way}\"")? } else { writeln!(out, ".B \"{way}\"\n.PP")? }
    }
    if let Some(about) = command.get_about() {
        writeln!(out, "{}.", roff(&about.to_string()))?;
    }
    let mut options = Vec::new();
    Man::new(command.clone()).render_options_section(&mut options)?;
    let heading = b".SH OPTIONS\n";
    let at = options.windows(heading.len()).position(|piece| piece == heading);
    let (before, behind) = options.split_at(at.unwrap_or(options.len()));
    out.write_all(before)?;
    out.write_all(behind.get(heading.len()..).unwrap_or_default())?;
    command.get_subcommands().try_for_each(|sub| write_command(out, sub))
}

/// The definitions without what every command has and nobody looks up.
fn without_help(command: Command) -> Command {
    let mut command = bare(command).disable_help_flag(false);
    command.build();
    command
}

fn bare(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = names.into_iter().fold(command, |command, name| command.mut_subcommand(name, bare));
    command.disable_help_flag(true).disable_help_subcommand(true)
}

/// A line of text in roff: what stands between backticks in bold, nothing taken for a request.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let pieces = escaped.split('`').zip([false, true].into_iter().cycle());
    let line: String = pieces
        .map(|(piece, bold)| if bold { format!("\\fB{piece}\\fR") } else { piece.to_owned() })
        .collect();
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command with its long options, as `--help` has them; `lab check` for a command of a command.
    fn definitions() -> Vec<(String, Vec<String>)> {
        let mut all = Vec::new();
        define(&Cli::command(), "", &mut all);
        all
    }

    fn define(command: &Command, before: &str, all: &mut Vec<(String, Vec<String>)>) {
        for sub in command.get_subcommands() {
            let name = format!("{before}{}", sub.get_name());
            let options = sub.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned));
            all.push((name.clone(), options.collect()));
            define(sub, &format!("{name} "), all);
        }
    }

    #[test]
    fn the_manual_page_has_every_command_with_its_options_and_every_exit_code() {
        let mut page = Vec::new();
        write_page(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        for (name, options) in definitions() {
            let start = page.find(&format!(".SS \"tetherline {name}")).expect(&name);
            let section = page[start + 1..].split("\n.S").next().unwrap();
            for option in options {
                let written = format!("\\-\\-{}", option.replace('-', "\\-"));
                assert!(section.contains(&written), "{name} --{option} is not in:\n{section}");
            }
        }
        assert!(EXIT_CODES.iter().all(|(code, _)| page.contains(&format!("\n.B {code}\n"))));
        assert_eq!(page.matches(".SH OPTIONS").count(), 0);
    }

    #[test]
    fn every_shell_completes_every_command_and_option() {
        use clap::ValueEnum;
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "tetherline", &mut script);
            let script = String::from_utf8(script).unwrap();
            for (name, options) in definitions() {
                let name = name.rsplit(' ').next().unwrap();
                assert!(script.contains(name), "{shell}: {name}");
                assert!(options.iter().all(|option| script.contains(option)), "{shell}: {name}");
            }
        }
    }

    #[test]
    fn the_definitions_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
