//! `mesh dev`: a domain that is built and started anew whenever its files change. What runs
//! goes on until the new one can be started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use clap::Args;
use mesh_core::{Error, ErrorKind, Result};
use mesh_scaffold::{DomainFolder, Place};
use notify::event::ModifyKind;
use notify::{Event, EventKind, RecursiveMode, Watcher};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::demo::domains::{self, FoundDomain};
use crate::platform::stop_signal;
use crate::ui;

/// Changes that come within this time of each other are one: editors write in several steps.
const SETTLED: Duration = Duration::from_millis(300);
/// How long a process may take to end after SIGTERM: longer than the domain's own limit.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);

#[derive(Args)]
pub(crate) struct DevArgs {
    /// The domain's name, or its folder
    domain: String,
    /// Options of the domain's process, see `mesh run FOLDER --help`
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTION"
    )]
    options: Vec<OsString>,
}

/// What is started.
struct Dev {
    name: String,
    folder: PathBuf,
    code: bool,
    /// Where cargo is run.
    workspace: PathBuf,
    options: Vec<OsString>,
}

pub(crate) async fn run(args: DevArgs) -> Result<ExitCode> {
    let dev = Dev::find(args)?;
    let (tell, changes) = mpsc::unbounded_channel();
    let mut told = Told {
        changes,
        seen: false,
    };
    let _watcher = watch(&dev, tell)?;
    let mut stopped = std::pin::pin!(stop_signal());
    let mut child: Option<Child> = None;
    let mut changed = true;
    loop {
        if changed {
            let prepared = tokio::select! {
                prepared = dev.prepare() => prepared,
                signal = &mut stopped => {
                    stop(&mut child).await?;
                    return signal.map(|()| ExitCode::SUCCESS);
                }
            };
            match prepared {
                Ok(command) => {
                    stop(&mut child).await?;
                    child = Some(start(command)?);
                    ui::note(&format!("{}: started", dev.name));
                }
                Err(error) => {
                    ui::fail(&error);
                    ui::note(match child {
                        Some(_) => "what ran before goes on; the next change is tried again",
                        None => "nothing runs; the next change is tried again",
                    });
                }
            }
        }
        changed = tokio::select! {
            () = told.settled() => {
                ui::note(&format!("{}: files have changed", dev.name));
                true
            }
            status = ended(&mut child) => {
                child = None;
                ui::note(&format!("{}: ended ({status}); the next change starts it again", dev.name));
                false
            }
            signal = &mut stopped => {
                stop(&mut child).await?;
                return signal.map(|()| ExitCode::SUCCESS);
            }
        };
    }
}

impl Dev {
    fn find(args: DevArgs) -> Result<Self> {
        let named = Path::new(&args.domain);
        let (place, domain) = if named.components().count() > 1 || named.join("products").is_dir() {
            given(named)?
        } else {
            let place = Place::find(None)?;
            let domain = place.domain(&args.domain)?;
            (place, domain)
        };
        let absolute = domain.path.canonicalize().map_err(|error| {
            Error::not_found("there is no such domain")
                .with("folder", domain.path.display())
                .because(error)
        })?;
        let name = absolute
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            name: name.unwrap_or_default(),
            workspace: match place.is_workspace() {
                true => place.root,
                false => domain.path,
            },
            folder: absolute,
            code: domain.code,
            options: args.options,
        })
    }

    /// What is to be started, once it is known that it can be.
    async fn prepare(&self) -> Result<Command> {
        let mut command = if self.code {
            let found = FoundDomain {
                name: self.name.clone(),
                mesh: None,
                folder: self.folder.clone(),
            };
            let programs = domains::build(&self.workspace, &[found]).await?;
            let program = programs
                .into_iter()
                .next()
                .ok_or_else(|| Error::internal("a build without a program"))?;
            Command::new(program)
        } else {
            // What the process would refuse is refused here, while the old one runs.
            drop(mesh_ingest::load(&self.folder)?);
            let own = std::env::current_exe()
                .map_err(|error| Error::internal("our own program has no path").because(error))?;
            let mut command = Command::new(own);
            command.arg("run").arg(&self.folder);
            command
        };
        command.args(&self.options);
        Ok(command)
    }

    /// Whether a change of `path` asks for a new start. Rows that a source reads do not.
    fn concerns(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.folder) else {
            return false;
        };
        let first = below.components().next();
        let first = first
            .and_then(|part| part.as_os_str().to_str())
            .unwrap_or_default();
        match self.code {
            true => ["src", "products", "inputs", "Cargo.toml", "build.rs"].contains(&first),
            false => first == "products",
        }
    }
}

/// The domain in the folder `path`.
fn given(path: &Path) -> Result<(Place, DomainFolder)> {
    let absolute = path.canonicalize().map_err(|error| {
        Error::not_found("there is no such folder of a domain")
            .with("folder", path.display())
            .mend("name a domain like `shipping`, or a folder like `domains/shipping`")
            .because(error)
    })?;
    // Two folders up, past domains/.
    let root = absolute.ancestors().nth(2).unwrap_or(&absolute);
    let domain = DomainFolder {
        code: absolute.join("Cargo.toml").is_file(),
        path: absolute.clone(),
    };
    Ok((Place::find(Some(root))?, domain))
}

fn watch(dev: &Dev, tell: mpsc::UnboundedSender<()>) -> Result<impl Watcher + use<>> {
    let failed = |error: notify::Error| {
        Error::new(
            ErrorKind::FailedPrecondition,
            "the domain's folder cannot be watched",
        )
        .with("folder", dev.folder.display())
        .mend("let this system watch more files (fs.inotify.max_user_watches), and try again")
        .because(error)
    };
    let concerned = Dev {
        name: dev.name.clone(),
        folder: dev.folder.clone(),
        workspace: dev.workspace.clone(),
        options: Vec::new(),
        ..*dev
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // A fault of the watcher may have hidden a change.
        let changed = event.map_or(true, |event| {
            let written = match event.kind {
                EventKind::Create(_) | EventKind::Remove(_) => true,
                EventKind::Modify(kind) => !matches!(kind, ModifyKind::Metadata(_)),
                _ => false,
            };
            written && event.paths.iter().any(|path| concerned.concerns(path))
        });
        if changed {
            // Nobody listens any more when the process ends.
            let _ = tell.send(());
        }
    })
    .map_err(failed)?;
    watcher
        .watch(&dev.folder, RecursiveMode::Recursive)
        .map_err(failed)?;
    Ok(watcher)
}

/// Changes as the watcher tells them.
struct Told {
    changes: mpsc::UnboundedReceiver<()>,
    /// Whether one has come that was not answered yet; kept where waiting is broken off.
    seen: bool,
}

impl Told {
    /// Waits for a change, and then for quiet.
    async fn settled(&mut self) {
        if !self.seen && self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        self.seen = true;
        while let Ok(Some(())) = tokio::time::timeout(SETTLED, self.changes.recv()).await {}
        self.seen = false;
    }
}

fn start(mut command: Command) -> Result<Child> {
    // In a group of its own, so that Ctrl-C reaches it through us alone.
    command
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            Error::new(ErrorKind::FailedPrecondition, "the domain does not start")
                .with("reason", error.kind())
                .because(error)
        })
}

/// The end of the process, if there is one.
async fn ended(child: &mut Option<Child>) -> String {
    match child {
        Some(child) => match child.wait().await {
            Ok(status) => how(status),
            Err(error) => error.to_string(),
        },
        None => std::future::pending().await,
    }
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("code {code}"),
        None => status.to_string(),
    }
}

/// Asks the process to end, and waits until it has.
async fn stop(child: &mut Option<Child>) -> Result<()> {
    let Some(mut child) = child.take() else {
        return Ok(());
    };
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // SAFETY: the child has not been waited for, so its id is its own.
        unsafe { libc::kill(id, libc::SIGTERM) };
    }
    if tokio::time::timeout(STOP_TIMEOUT, child.wait())
        .await
        .is_err()
    {
        child
            .kill()
            .await
            .map_err(|error| Error::internal("the domain's process does not end").because(error))?;
    }
    Ok(())
}
