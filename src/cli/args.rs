//! What can be typed.

use super::inventory::Inventory;
use super::pr::Pr;
use super::rendering::RenderOptions;
use super::serve::Serve;
use super::snapshot::Snapshot;
use crate::config::{Config, IpBlocksMatchPods};
use crate::report::Persona;
use crate::settings::{CommentWhen, FailOn, check_namespace};
use clap::builder::PossibleValue;
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
   0  done; nothing at or above --fail-on that no waiver covers
   1  internal error (a bug here)
   2  wrong usage, or a mistake in the configuration
   3  nothing to analyse: no manifest found
   4  a file or a repository could not be read or written
  10  something opened at or above --fail-on
  11  something was not evaluated that could hide a widening (unless --fail-on never)
 128  and n more: signal n ended it";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What a change opens and closes, and which lines did it
    Diff(Diff),
    /// Who may talk to whom in one directory
    List(List),
    /// May this flow happen, and by which rule
    Query(Query),
    /// What is wrong with how the policies of one directory are written
    Lint(Lint),
    /// The catalogue of rules, or one rule's page
    Rules {
        /// The rule
        rule: Option<String>,
    },
    /// One row of a diff at length
    Explain(Explain),
    /// Which environments there are, and what decided that
    Environments(Environments),
    /// Review a pull request on GitHub: comment, check, annotations
    Pr(Pr),
    /// Review every pull request of a GitHub App's installations
    Serve(Box<Serve>),
    /// What a cluster holds, as an inventory for the other commands
    Snapshot(Snapshot),
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
    /// End with code 10 when something of this severity or above opened and no waiver covers it, with 11
    /// when nobody can say [default: `failOn` of the configuration, else never]
    #[arg(long, value_name = "LEVEL")]
    pub(super) fail_on: Option<FailOn>,
    #[command(flatten)]
    pub(super) rules: RuleOptions,
    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
    #[command(flatten)]
    pub(super) render: RenderOptions,
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
    pub(super) rules: RuleOptions,
    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
    #[command(flatten)]
    pub(super) render: RenderOptions,
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
    /// The environment, where there are several
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
    #[command(flatten)]
    pub(super) render: RenderOptions,
}

#[derive(Debug, Args)]
pub(super) struct Lint {
    /// A directory with manifests, or one file
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// How to write the findings
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: AnswerFormat,
    /// End with code 10 when there is a finding of this severity or above [default: `failOn` of the
    /// configuration, else never]
    #[arg(long, value_name = "LEVEL")]
    pub(super) fail_on: Option<FailOn>,
    #[command(flatten)]
    pub(super) rules: RuleOptions,
    /// Write fixes into the files: those that change no path, or with `=narrowing` also those that only close
    /// paths. What remains decides the exit code
    #[arg(
        long,
        value_name = "KIND",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "equivalent"
    )]
    pub(super) fix: Option<FixUpTo>,
    /// The environment, where there are several [default: all of them; `--fix` needs one]
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
    #[command(flatten)]
    pub(super) render: RenderOptions,
}

/// Which fixes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FixUpTo {
    /// Those that change no path
    Equivalent,
    /// Also those that only close paths
    Narrowing,
}

/// Which findings are shown.
#[derive(Debug, Args)]
pub(super) struct RuleOptions {
    /// Whose findings to show [default: `persona` of the configuration, else regular]
    #[arg(long, value_name = "PERSONA")]
    pub(super) persona: Option<Persona>,
}

impl RuleOptions {
    /// Puts what was typed in place of what is configured.
    pub(super) fn apply(&self, config: &mut Config) {
        if let Some(persona) = self.persona {
            config.rules.persona = persona;
        }
    }
}

impl ValueEnum for Persona {
    fn value_variants<'a>() -> &'a [Self] {
        &[Persona::Regular, Persona::Pedantic, Persona::Auditor]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Persona::Regular => "What is almost surely wrong",
            Persona::Pedantic => "Everything as it should be written",
            Persona::Auditor => "Also what could be wrong",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

#[derive(Debug, Args)]
#[command(override_usage = "netpol-review environments [OPTIONS] DIR\n       \
    netpol-review environments [OPTIONS] --git REVISION [--repo DIR]")]
pub(super) struct Environments {
    /// A directory
    #[arg(value_name = "DIR", required_unless_present = "git")]
    pub(super) directory: Option<PathBuf>,
    /// A revision, read from the repository without a checkout
    #[arg(long, value_name = "REVISION", conflicts_with = "directory")]
    pub(super) git: Option<String>,
    /// The repository [default: the one around the current directory]
    #[arg(long, value_name = "DIR", requires = "git")]
    pub(super) repo: Option<PathBuf>,
    /// How to write the answer
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: AnswerFormat,
    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
    #[command(flatten)]
    pub(super) render: RenderOptions,
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
    /// The environment, where there are several
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
    #[command(flatten)]
    pub(super) render: RenderOptions,
}

const PEERS: &str = "\
A PEER is a declared workload, an address, or a pod that is not declared:
  web/frontend, or web/frontend[Deployment] where the name alone is ambiguous
  203.0.113.7
  namespace:web,pod:app=api,tier=backend
  namespace:web,nslabel:team=shop,pod:app=api";

/// What is known of the cluster. An option beats the configuration.
#[derive(Debug, Args)]
pub(super) struct ClusterOptions {
    /// The configuration [default: .github/netpol-review.yml of BEFORE, BASE or DIR, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Workloads, namespaces and policies that live elsewhere: what `netpol-review snapshot` or `kubectl get
    /// ns,deploy,rs,sts,ds,job,cronjob,po,netpol -A -o yaml` writes; for one environment with its name before
    /// it. Repeatable [default: `inventory` of the configuration]
    #[arg(long, value_name = "[ENV=]FILE")]
    pub(super) inventory: Vec<Inventory>,
    /// The namespace of objects that name none [default: default]
    #[arg(long, value_name = "NAME", value_parser = check_namespace)]
    default_namespace: Option<String>,
    /// Do ipBlocks match pods whose address lies in them? It depends on the network plugin [default:
    /// unknown]
    #[arg(long, value_name = "ANSWER")]
    ip_blocks_match_pods: Option<IpBlocks>,
}

impl ClusterOptions {
    /// Puts what was typed in place of what is configured.
    pub(super) fn apply(&self, config: &mut Config) {
        if let Some(namespace) = &self.default_namespace {
            config.default_namespace.clone_from(namespace);
        }
        if let Some(answer) = self.ip_blocks_match_pods {
            config.ip_blocks_match_pods = match answer {
                IpBlocks::Unknown => IpBlocksMatchPods::Unknown,
                IpBlocks::Never => IpBlocksMatchPods::Never,
                IpBlocks::Always => IpBlocksMatchPods::Always,
            };
        }
    }
}

impl ValueEnum for CommentWhen {
    fn value_variants<'a>() -> &'a [Self] {
        &[CommentWhen::Always, CommentWhen::OnChange, CommentWhen::OnFailure, CommentWhen::Never]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            CommentWhen::Always => "always",
            CommentWhen::OnChange => "on-change",
            CommentWhen::OnFailure => "on-failure",
            CommentWhen::Never => "never",
        }))
    }
}

impl ValueEnum for FailOn {
    fn value_variants<'a>() -> &'a [Self] {
        &[FailOn::Never, FailOn::Any, FailOn::Low, FailOn::Medium, FailOn::High, FailOn::Critical]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            FailOn::Never => ("never", "Nothing that is found: the exit code is 0"),
            FailOn::Any => ("any", "Anything that opened"),
            FailOn::Low => ("low", "Rows of severity low and above"),
            FailOn::Medium => ("medium", "Rows of severity medium and above"),
            FailOn::High => ("high", "Rows of severity high and above"),
            FailOn::Critical => ("critical", "Rows of severity critical"),
        };
        Some(PossibleValue::new(name).help(help))
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
            assert_eq!(check_namespace(good).as_deref(), Ok(good));
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a b", &"a".repeat(64)] {
            assert!(check_namespace(bad).is_err(), "{bad}");
        }
    }
}
