//! What can be typed.

use super::exit::FailOn;
use crate::config::{Config, IpBlocksMatchPods};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Computes exactly what a change to Kubernetes NetworkPolicies opens
#[derive(Debug, Parser)]
#[command(name = "netpol-review", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,

    /// When to use colours; `auto` follows the terminal, NO_COLOR and CLICOLOR
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = false
    )]
    pub(super) color: Color,
}

const EXIT_CODES: &str = "\
Exit codes:
   0  done; nothing at or above --fail-on
   1  internal error (a bug here)
   2  wrong usage
   3  nothing to analyse: no manifest found
   4  a file or a repository could not be read or written
  10  something opened at or above --fail-on
  11  something was not evaluated that could hide a widening (unless --fail-on never)";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What a change opens and closes, and which lines did it
    Diff(Diff),
    /// Who may talk to whom in one directory
    List(List),
    /// May this flow happen, and by which rule
    Query(Query),
    /// One row of a diff at length
    Explain(Explain),
    /// A completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
#[command(override_usage = "netpol-review diff [OPTIONS] BEFORE AFTER\n       \
    netpol-review diff [OPTIONS] --git BASE..HEAD [--repo DIR] [PATH ...]")]
pub(super) struct Diff {
    #[command(flatten)]
    pub(super) inputs: Inputs,
    /// How to write the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: ReportFormat,
    /// Add the table of declared workloads and external ranges whose connections differ
    #[arg(long)]
    pub(super) connections: bool,
    /// End with code 10 when something of this severity or above opened, with 11 when nobody can say
    #[arg(long, value_name = "LEVEL", default_value = "never")]
    pub(super) fail_on: FailOn,
    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
}

#[derive(Debug, Args)]
#[command(override_usage = "netpol-review explain [OPTIONS] FINGERPRINT BEFORE AFTER\n       \
    netpol-review explain [OPTIONS] FINGERPRINT --git BASE..HEAD [--repo DIR] [PATH ...]")]
pub(super) struct Explain {
    /// The row's fingerprint, or the beginning of it
    pub(super) fingerprint: String,
    #[command(flatten)]
    pub(super) inputs: Inputs,
    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
}

/// The two sides of a comparison.
#[derive(Debug, Args)]
pub(super) struct Inputs {
    /// Two directories or files; with --git, what to look at in the repository
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Compare two revisions, read from the repository without a checkout: BASE..HEAD, BASE...HEAD
    /// (from their merge base), or BASE (against the working tree)
    #[arg(long, value_name = "RANGE")]
    pub(super) git: Option<String>,
    /// The repository [default: the one around the current directory]
    #[arg(long, value_name = "DIR", requires = "git")]
    pub(super) repo: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// A directory with manifests, or one file
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// How to write the list
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: ListFormat,
    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
}

#[derive(Debug, Args)]
#[command(after_help = PEERS)]
pub(super) struct Query {
    /// A directory with manifests, or one file
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// Who starts the connection
    #[arg(long, value_name = "PEER")]
    pub(super) from: String,
    /// Who takes it
    #[arg(long, value_name = "PEER")]
    pub(super) to: String,
    /// The port it goes to, as TCP/5432
    #[arg(long, value_name = "PORT")]
    pub(super) port: String,
    /// How to write the answer
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: AnswerFormat,
    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
}

const PEERS: &str = "\
A PEER is a declared workload, an address, or a pod that is not declared:
  web/frontend, or web/frontend[Deployment] where the name alone is ambiguous
  203.0.113.7
  namespace:web,pod:app=api,tier=backend
  namespace:web,nslabel:team=shop,pod:app=api";

/// What is known of the cluster.
#[derive(Debug, Args)]
pub(super) struct ClusterOptions {
    /// The namespace of objects that name none
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = namespace)]
    default_namespace: String,
    /// Do ipBlocks match pods whose address lies in them? It depends on the network plugin
    #[arg(long, value_name = "ANSWER", default_value = "unknown")]
    ip_blocks_match_pods: IpBlocks,
}

impl ClusterOptions {
    pub(super) fn config(&self) -> Config {
        Config {
            default_namespace: self.default_namespace.clone(),
            ip_blocks_match_pods: match self.ip_blocks_match_pods {
                IpBlocks::Unknown => IpBlocksMatchPods::Unknown,
                IpBlocks::Never => IpBlocksMatchPods::Never,
                IpBlocks::Always => IpBlocksMatchPods::Always,
            },
            ..Config::default()
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IpBlocks {
    Unknown,
    Never,
    Always,
}

/// Formats of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    Text,
    Json,
    Markdown,
    Sarif,
    Github,
}

/// Formats of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    Text,
    Json,
    Csv,
    Mermaid,
    Dot,
}

/// Formats of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AnswerFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

/// A namespace's name as Kubernetes takes it: an RFC 1123 label.
fn namespace(text: &str) -> Result<String, String> {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let good = (1..=63).contains(&text.len())
        && text.bytes().all(|byte| inside(byte) || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if good {
        Ok(text.to_string())
    } else {
        Err("a namespace's name has 1 to 63 of a-z, 0-9 and `-`, and neither begins nor ends with `-`".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn namespaces() {
        for good in ["default", "a", "team-1", "0"] {
            assert_eq!(namespace(good).as_deref(), Ok(good));
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a b", &"a".repeat(64)] {
            assert!(namespace(bad).is_err(), "{bad}");
        }
    }
}
