//! `tsunagi demo`: everything in one go, in a sandbox of its own. The gateway is a process of its own; the demo speaks to it only over HTTP,
//! as the parties would, and prints what it received and verified.

mod cast;
mod layout;
mod material;
mod page;
mod proving;
mod reading;
mod refusing;
mod sandbox;
mod sending;
mod story;
mod work;

use std::{io, path::PathBuf, time::Duration};

use clap::Args;
use tokio::time::timeout;

use self::{
    page::Page,
    sandbox::{Sandbox, Server},
};
use super::{CliError, Voice};
use crate::text::demo as text;

/// Everything in one go: what each role sees, what is refused and why, how the proof is checked.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Tell a whole case instead, from the referral to the closing: after each step, what every party is told of it and may read.
    #[arg(long)]
    story: bool,
    /// Leave the gateway serving at the end, and say how to stop it and what to try next.
    #[arg(long)]
    keep: bool,
    /// Folder for the sandbox: one that does not exist yet, or is empty. Default: a fresh temporary one, removed at the end.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Port of the gateway on 127.0.0.1. Default: a free one.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

pub(super) async fn run(args: DemoArgs, voice: Voice) -> Result<(), CliError> {
    if let Some(port) = args.port
        && std::net::TcpListener::bind(("127.0.0.1", port)).is_err()
    {
        let en = format!("port {port} on 127.0.0.1 cannot be used: choose another with --port, or leave it out");
        let ja = format!("127.0.0.1 のポート {port} は使えません。--port で別のものを選ぶか、指定しないでください");
        return Err(CliError::usage(en, ja));
    }
    let sandbox = Sandbox::make(&args, voice).await?;
    let mut page = Page::new(voice);
    page.headline(if args.story { text::work::HEADLINE } else { text::HEADLINE });
    let outcome = perform(&args, &sandbox, &mut page).await;
    page.end();
    match &outcome {
        Ok(()) if !args.keep => {
            sandbox.remove()?;
            if sandbox.is_own() {
                page.say(text::STOPPED, &[]);
            } else {
                page.say(text::STOPPED_KEPT, &[&sandbox.dir().display()]);
            }
        }
        Ok(()) => {}
        Err(_) => eprintln!("{}", text::LEFT_BEHIND.say(voice.lang, &[&sandbox.dir().display()])),
    }
    outcome
}

/// Starts the gateway, tells the story, and ends the gateway by its own process id: also when the story fails or is interrupted.
async fn perform(args: &DemoArgs, sandbox: &Sandbox, page: &mut Page) -> Result<(), CliError> {
    let mut server = sandbox.serve()?;
    let telling = async {
        let (server, page) = (&mut server, &mut *page);
        if args.story { Box::pin(work::tell(sandbox, server, page)).await } else { Box::pin(story::tell(sandbox, server, page)).await }
    };
    let told = tokio::select! {
        told = timeout(LONGEST, telling) => told.unwrap_or_else(|_| Err(CliError::Io("demo".to_owned(), io::ErrorKind::TimedOut.into()))),
        _ = tokio::signal::ctrl_c() => Err(CliError::Io("demo".to_owned(), io::ErrorKind::Interrupted.into())),
    };
    match told {
        Ok(gateway) if args.keep => {
            server.leave_running();
            what_next(sandbox, &server, &gateway, page)?;
            Ok(())
        }
        told => {
            let stopped = server.stop().await;
            told.map(|_| ()).and(stopped)
        }
    }
}

fn what_next(sandbox: &Sandbox, server: &Server, gateway: &str, page: &mut Page) -> Result<(), CliError> {
    let auditor = sandbox.folder_of(crate::domain::party::PartyKind::Auditor)?;
    let (auditor, dir, pid) = (auditor.display(), sandbox.dir().display(), server.pid());
    page.end();
    page.say(text::KEPT, &[&gateway, &pid]);
    page.command(&format!("tsunagi audit events --as {auditor}"), text::KEPT_EVENTS);
    page.command(&format!("tsunagi audit export --as {auditor} --format tiles ledger"), text::KEPT_EXPORT);
    page.command(&format!("tail -f {dir}/serve.log"), text::KEPT_LOG);
    page.command(&format!("kill {pid}"), text::KEPT_STOP);
    page.command(&format!("rm -r {dir}"), text::KEPT_REMOVE);
    page.gap();
    Ok(())
}

/// Nobody waits longer for a demo.
const LONGEST: Duration = Duration::from_mins(10);
