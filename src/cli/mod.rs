//! The command line: one file a command. What a command prints as data goes to standard output, talk to
//! standard error.

mod alarms;
mod demo;
mod exit;
mod export;
mod hegemony;
mod import;
mod lab;
mod lab_tables;
mod manual;
mod names;
mod origin;
mod out;
mod overrides;
mod paths;
mod plan;
mod rehearse;
mod report;
mod run;
mod stop;
mod trace;
mod whatif;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use exit::{Code, Failure};
pub use out::say;

use crate::formats::import::Format;
use crate::lab::BuiltIn;
use crate::model::{Asn, Name, Port, Prefix, Protocol, WallTime};

/// Tells how many independent lines hold a network to the Internet, and what changes when one is added
/// or lost.
#[derive(Parser, Debug)]
#[command(name = "tetherline", version, about, max_term_width = 100, after_help = after_help())]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Exit codes and their meaning.
const EXIT_CODES: [(&str, &str); 8] = [
    ("0", "done"),
    ("1", "failed"),
    ("2", "wrong usage or configuration, nothing was written"),
    ("3", "incomplete, the same command goes on from there"),
    ("4", "this vantage cannot measure"),
    ("5", "the dataset cannot be read or written"),
    ("130", "stopped by SIGINT"),
    ("143", "stopped by SIGTERM"),
];

/// Which commands touch a network.
const SENDERS: &str = "Only `run`, `trace` and `demo` send packets; `demo` sends only inside its own \
                       simulated Internet.";

fn after_help() -> String {
    let codes: Vec<String> =
        EXIT_CODES.iter().map(|(code, meaning)| format!("  {code:<4} {meaning}")).collect();
    format!("Exit codes:\n{}\n\n{SENDERS}", codes.join("\n"))
}

/// The scenarios that need no file, and what a command in a lab is given beside the network.
fn about_labs() -> String {
    let line = |built_in: &BuiltIn| format!("  {:<18}  {}", built_in.name, built_in.about);
    let lines: Vec<String> = BuiltIn::all().iter().map(line).collect();
    format!("Built-in scenarios:\n{}\n\n{HANDED_OVER}", lines.join("\n"))
}

const HANDED_OVER: &str = "\
The command finds the scenario's prefixes and AS names in the files that TETHERLINE_LAB_ORIGINS and
TETHERLINE_LAB_AS_NAMES name; `run` and `trace` take them where no others are named.";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the whole job, from probes to report, against a simulated Internet: about a minute, no set-up
    Demo(DemoArgs),
    /// Print what a campaign would send; send nothing
    Plan(CampaignArgs),
    /// Run a campaign on its schedule; the same command resumes it after a stop, a crash or a reboot
    Run(RunArgs),
    /// Find every path to one target, with the chance of having missed one
    Trace(TraceArgs),
    /// Print the AS path of every trace in a dataset, with the reason for every assignment
    Paths(PathsArgs),
    /// Report reachability and path diversity per epoch, what changed, and how sure that is
    Report(ReportArgs),
    /// Predict what would happen if links or ASes were lost or added, with or without a measurement
    #[command(after_help = whatif::SYNTAX)]
    Whatif(whatif::WhatifArgs),
    /// Make a dataset of what other programs measured: scamper, RIPE Atlas, yarrp, caracal, mtr, trippy
    Import(ImportArgs),
    /// Write the records of a dataset in another format
    Export(ExportArgs),
    /// Look at sources of origins: which AS an address belongs to, and by whose word
    Origin(OriginArgs),
    /// Run any command inside a simulated Internet, or look at one
    #[command(after_help = about_labs())]
    Lab(LabArgs),
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Arguments of `demo`.
#[derive(Args, Debug)]
struct DemoArgs {
    /// Keep the dataset and the report files in this new folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Run in virtual time: no sockets, a few seconds
    #[arg(long = "virtual")]
    virtual_time: bool,
}

/// Arguments of `plan`.
#[derive(Args, Debug)]
struct CampaignArgs {
    /// The campaign file
    #[arg(default_value = "probes.toml", value_name = "FILE")]
    campaign: PathBuf,
}

/// Arguments of `run`.
#[derive(Args, Debug)]
struct RunArgs {
    #[command(flatten)]
    campaign: CampaignArgs,
    /// Run one round of each prober now, then stop
    #[arg(long)]
    once: bool,
    /// Record into this folder instead of the one that the campaign names
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Send nothing: run it in virtual time in this simulated Internet, a week in seconds; a scenario file or
    /// the name of a built-in one
    #[arg(long, value_name = "SCENARIO", requires = "output")]
    rehearse: Option<PathBuf>,
}

/// Arguments of `trace`.
#[derive(Args, Debug)]
struct TraceArgs {
    /// The address to trace to
    target: std::net::IpAddr,
    /// What the probes are carried in
    #[arg(short, long, value_enum, default_value_t = ProtocolArg::Icmp)]
    protocol: ProtocolArg,
    /// Destination port [default: 33434 for udp, 80 for tcp]
    #[arg(long, value_parser = port)]
    port: Option<Port>,
    /// Trace so many pinned flows, instead of searching every path by as many as it takes
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    flows: Option<u16>,
    /// With which probability all branches of a load balancer are found
    #[arg(long, default_value_t = 0.95, conflicts_with = "flows")]
    confidence: f64,
    /// The smallest share of flows that a branch may have and must still be found; branches are taken to be equal
    /// without it
    #[arg(long, value_name = "SHARE", conflicts_with = "flows")]
    narrowest_branch: Option<f64>,
    /// Enumerate the next hops of every router by flows through it (MDA), not only where it is needed (MDA-Lite)
    #[arg(long, conflicts_with = "flows")]
    full: bool,
    /// Packets at most
    #[arg(long, default_value_t = 20_000, conflicts_with = "flows")]
    packets: u32,
    /// First TTL
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    first_ttl: u8,
    /// Last TTL
    #[arg(short, long, default_value_t = 30, value_parser = clap::value_parser!(u8).range(1..))]
    max_ttl: u8,
    /// Silent hops in a row after which a trace ends
    #[arg(short, long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    gap_limit: u8,
    /// How often a silent hop is asked
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=10))]
    attempts: u8,
    /// How long to wait for a reply
    #[arg(short, long, default_value = "2s", value_parser = humantime::parse_duration)]
    wait: std::time::Duration,
    /// Packets per second
    #[arg(short, long, default_value_t = 20.0)]
    rate: f64,
    /// The campaign file that names the operator; a target in public space needs one
    #[arg(short, long, value_name = "FILE")]
    campaign: Option<PathBuf>,
    /// Sources of origins: pfx2as, MRT and others, plain, gz or bz2
    #[arg(short, long, value_name = "FILE")]
    origins: Vec<PathBuf>,
    /// Tables of the names of ASes
    #[arg(long, value_name = "FILE")]
    as_names: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = TraceFormat::Text)]
    format: TraceFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// Arguments of `paths`.
#[derive(Args, Debug)]
struct PathsArgs {
    /// The dataset folder
    dataset: PathBuf,
    /// Sources of origins instead of those that the campaign names
    #[arg(short, long, value_name = "FILE")]
    origins: Vec<PathBuf>,
    /// Print one line a distinct path of each target and flow, for people, instead of CSV
    #[arg(long)]
    summary: bool,
    #[command(flatten)]
    instead: Instead,
}

/// What `paths` can print instead of the paths of traces.
#[derive(Args, Debug)]
#[group(multiple = false, conflicts_with = "summary")]
struct Instead {
    /// Print the links that multipath searches and censuses found instead
    #[arg(long)]
    links: bool,
    /// Print what they asked at each hop, and the chance of having missed something, instead
    #[arg(long)]
    hops: bool,
    /// Print which routers limit their answers instead
    #[arg(long)]
    limits: bool,
}

/// Arguments of `report`.
#[derive(Args, Debug)]
struct ReportArgs {
    /// The dataset folder
    dataset: PathBuf,
    /// Print every table with its intervals, every change, and how to read them
    #[arg(long)]
    full: bool,
    /// Also write HTML, CSV, SVG, PDF and LaTeX files into this folder
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Sources of origins instead of those that the campaign names
    #[arg(short, long, value_name = "FILE")]
    origins: Vec<PathBuf>,
}

/// Arguments of `import`.
#[derive(Args, Debug)]
struct ImportArgs {
    /// The files, plain, gz or bz2
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Make the dataset in this new folder
    #[arg(short, long, value_name = "DATASET")]
    output: PathBuf,
    /// The format of all files [default: told by their first bytes]
    #[arg(long, value_enum)]
    format: Option<ImportFormat>,
    /// The block about which targets inside it speak; may be given several times [default: their /24 or /48]
    #[arg(long, value_name = "PREFIX")]
    unit: Vec<Prefix>,
    /// Who measured, whatever the files say
    #[arg(long, value_name = "NAME")]
    vantage: Option<Name>,
    /// The name of the campaign [default: imported]
    #[arg(long, value_name = "NAME")]
    campaign: Option<Name>,
    /// Sources of origins for `paths` and `report` to use: pfx2as, MRT and others, plain, gz or bz2
    #[arg(long, value_name = "FILE")]
    origins: Vec<PathBuf>,
    /// Tables of the names of ASes for `report` to use
    #[arg(long, value_name = "FILE")]
    as_names: Vec<PathBuf>,
}

/// Arguments of `export`.
#[derive(Args, Debug)]
struct ExportArgs {
    /// The dataset folder
    dataset: PathBuf,
    /// The format
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
    format: ExportFormat,
}

/// Arguments of `origin`.
#[derive(Args, Debug)]
struct OriginArgs {
    #[command(subcommand)]
    subcommand: OriginCommand,
}

/// What can be done with sources of origins.
#[derive(Subcommand, Debug)]
enum OriginCommand {
    /// Say what every source says about addresses, which one decides, and why
    Lookup(LookupArgs),
    /// Say through which ASes the peers of route collectors reach an origin
    Hegemony(HegemonyArgs),
}

/// Arguments of `origin hegemony`.
#[derive(Args, Debug)]
struct HegemonyArgs {
    /// The origins
    #[arg(required = true, value_name = "ASN")]
    origins: Vec<Asn>,
    /// Tables of route collectors (MRT, plain, gz or bz2), of one time
    #[arg(short, long, value_name = "FILE", required = true)]
    rib: Vec<PathBuf>,
    /// Prefixes of IPv6, each of which counts as one, instead of the addresses of IPv4
    #[arg(long)]
    ipv6: bool,
    /// Tables of the names of ASes
    #[arg(long, value_name = "FILE")]
    as_names: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Arguments of `origin lookup`.
#[derive(Args, Debug)]
struct LookupArgs {
    /// The addresses
    #[arg(required = true, value_name = "ADDR")]
    addresses: Vec<std::net::IpAddr>,
    /// Sources of origins, or of exchange points; what a file is, its content tells, or you do, as in mrt:FILE
    #[arg(short, long, value_name = "FILE")]
    origins: Vec<PathBuf>,
    /// Also those that this campaign names
    #[arg(short, long, value_name = "FILE")]
    campaign: Option<PathBuf>,
    /// Tables of the names of ASes
    #[arg(long, value_name = "FILE")]
    as_names: Vec<PathBuf>,
    /// Apply the changes of route collectors only up to this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<WallTime>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Arguments of `lab`: a scenario and a command to run in it, or one of its own commands.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(override_usage = "tetherline lab <SCENARIO> -- <COMMAND>...\n       tetherline lab <SUBCOMMAND>")]
#[command(subcommand_value_name = "SUBCOMMAND", subcommand_help_heading = "Subcommands")]
struct LabArgs {
    #[command(subcommand)]
    subcommand: Option<LabCommand>,
    /// A scenario file, or the name of a built-in one
    #[arg(required = true)]
    scenario: Option<PathBuf>,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true)]
    command: Vec<std::ffi::OsString>,
}

/// What can be done with a scenario beside running it. None of it needs a namespace or sends anything.
#[derive(Subcommand, Debug)]
enum LabCommand {
    /// Say everything that is wrong with a scenario, or what is in it
    Check(ScenarioArgs),
    /// Print a picture of a scenario in the language of Graphviz: `| dot -Tsvg > picture.svg`
    Draw(ScenarioArgs),
    /// Write the scenario of a whole Internet around one target
    Generate(GenerateArgs),
}

/// Which scenario.
#[derive(Args, Debug)]
struct ScenarioArgs {
    /// A scenario file, or the name of a built-in one
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
}

/// Arguments of `lab generate`.
#[derive(Args, Debug)]
struct GenerateArgs {
    /// How many ASes [default: 1000, or all of the table]
    #[arg(long, value_name = "N")]
    ases: Option<usize>,
    /// Where all chance comes from: the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take the ASes from this table of relationships (CAIDA as-rel, plain, gz or bz2); --ases cuts it down to
    /// those around the target
    #[arg(long, value_name = "FILE")]
    as_rel: Option<PathBuf>,
    /// The AS in which the vantage is [default: some stub]
    #[arg(long, value_name = "ASN")]
    vantage_as: Option<Asn>,
    /// The AS that is to be measured [default: some stub with several providers]
    #[arg(long, value_name = "ASN")]
    target_as: Option<Asn>,
    /// Write into this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProtocolArg {
    Icmp,
    Udp,
    Tcp,
}

impl From<ProtocolArg> for Protocol {
    fn from(arg: ProtocolArg) -> Self {
        match arg {
            ProtocolArg::Icmp => Self::Icmp,
            ProtocolArg::Udp => Self::Udp,
            ProtocolArg::Tcp => Self::Tcp,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TraceFormat {
    /// One line a hop, for people
    Text,
    /// One line a probe, with the columns of a dataset
    Csv,
    /// One object with hops, routers and links; not of pinned flows
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ImportFormat {
    /// scamper's own
    Warts,
    /// scamper's JSON, one object a line
    ScamperJson,
    /// Results of RIPE Atlas, in an array or one a line
    AtlasJson,
    /// yarrp's text
    Yarrp,
    /// caracal's CSV, which Iris keeps
    Caracal,
    /// A report of mtr
    MtrJson,
    /// A report of trippy
    TrippyJson,
}

impl From<ImportFormat> for Format {
    fn from(format: ImportFormat) -> Self {
        match format {
            ImportFormat::Warts => Self::Warts,
            ImportFormat::ScamperJson => Self::ScamperJson,
            ImportFormat::AtlasJson => Self::Atlas,
            ImportFormat::Yarrp => Self::Yarrp,
            ImportFormat::Caracal => Self::Caracal,
            ImportFormat::MtrJson => Self::Mtr,
            ImportFormat::TrippyJson => Self::Trippy,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExportFormat {
    /// RFC 4180, one line a probe
    Csv,
    /// One file of the same columns
    Parquet,
    /// scamper's own: traces and pings
    Warts,
    /// scamper's JSON: traces and pings, one a line
    ScamperJson,
    /// RIPE Atlas's JSON: traceroutes and pings, one a line
    AtlasJson,
}

fn port(text: &str) -> Result<Port, String> {
    let number = text.parse().ok().and_then(Port::new);
    number.ok_or_else(|| format!("{text:?} is not a port: must be 1 to 65535"))
}

fn time(text: &str) -> Result<WallTime, String> {
    WallTime::parse_rfc3339(text).map_err(|error| error.to_string())
}

/// Runs a parsed command line.
///
/// # Errors
/// What went wrong, with its exit code.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Paths(args) => paths::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Whatif(args) => whatif::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Origin(args) => origin::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man => manual::page(),
    }
}
