//! How kustomizations and charts are built: the options, and the programs that they mean.

use super::failure::Failure;
use crate::build::{Given, Tools};
use crate::environments::{Options, Render};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How kustomizations and charts are built.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct RenderOptions {
    /// Build kustomizations and charts: `auto` builds what needs nothing from elsewhere, without a network;
    /// `trusted` lets builds fetch what they name; `never` reads files as they stand
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(super) render: RenderWhen,
    /// The program that builds kustomizations: kustomize, or kubectl [default: the first on PATH]
    #[arg(long, value_name = "PROGRAM")]
    kustomize: Option<PathBuf>,
    /// The program that renders charts [default: helm on PATH]
    #[arg(long, value_name = "PROGRAM")]
    helm: Option<PathBuf>,
    /// Keep what was built in this directory, for later runs
    #[arg(long, value_name = "DIR")]
    render_cache: Option<PathBuf>,
    /// How long one build may take [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    render_timeout: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum RenderWhen {
    #[default]
    Auto,
    Never,
    Trusted,
}

impl RenderOptions {
    /// The options of a run.
    pub(super) fn options(&self) -> Result<Options, Failure> {
        let render = match self.render {
            RenderWhen::Auto => Render::Auto,
            RenderWhen::Never => Render::Never,
            RenderWhen::Trusted => Render::Trusted,
        };
        let given = Given { kustomize: self.kustomize.clone(), helm: self.helm.clone() };
        let tools = Tools::new(given);
        // A program that was named has to work; one that was not may be missing.
        let broken = |error: crate::build::Unusable| Failure::Usage(error.to_string());
        if self.kustomize.is_some() {
            tools.kustomize().map_err(broken)?;
        }
        if self.helm.is_some() {
            tools.helm().map_err(broken)?;
        }
        let (tools, cache) = (Arc::new(tools), self.render_cache.clone());
        let mut options = Options { render, tools, cache, ..Options::default() };
        if let Some(seconds) = self.render_timeout {
            options.limits.time = Duration::from_secs(seconds);
        }
        Ok(options)
    }
}
