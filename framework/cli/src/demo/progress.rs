//! The flow as it runs: bars on a terminal, a line every few seconds elsewhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mesh_core::{Error, Result};

use super::domains::FoundDomain;
use super::status::{DomainStatus, ask};
use super::supervisor::Supervisor;
use crate::ui;

/// How often everything must be found idle in a row before the flow counts as done: an
/// event may be on its way between two domains that both look idle.
const IDLE_ROUNDS: usize = 4;
/// How long a source may say that it cannot read on before the demo gives up: what ails it
/// may pass, as when the platform is started again.
const STUCK: Duration = Duration::from_secs(20);
const ROUND: Duration = Duration::from_millis(300);

/// Watches until nothing is left to do.
pub(crate) async fn watch(
    found: &[FoundDomain],
    apis: &[SocketAddr],
    supervisor: &mut Supervisor,
    limit: Duration,
) -> Result<()> {
    let http = reqwest::Client::new();
    let begun = Instant::now();
    let mut view = View::new();
    let mut idle = 0;
    let mut published = 0;
    let mut stuck_since: Option<Instant> = None;
    while idle < IDLE_ROUNDS {
        supervisor.tend()?;
        let statuses = futures::future::join_all(apis.iter().map(|api| ask(&http, *api))).await;
        view.show(found, &statuses, begun.elapsed());
        let all_idle = statuses
            .iter()
            .all(|status| status.as_ref().is_some_and(DomainStatus::is_idle));
        let now: u64 = statuses.iter().flatten().map(DomainStatus::published).sum();
        idle = if all_idle && now == published {
            idle + 1
        } else {
            0
        };
        published = now;
        let stuck = found.iter().zip(&statuses).find_map(|(domain, status)| {
            let (source, why) = status.as_ref()?.stuck()?;
            Some((domain, source.to_owned(), why.to_owned()))
        });
        match stuck {
            None => stuck_since = None,
            Some((domain, source, why)) => {
                let since = *stuck_since.get_or_insert_with(Instant::now);
                if since.elapsed() > STUCK {
                    return Err(Error::invalid("a source cannot be read")
                        .with("domain", &domain.name)
                        .with("source", source)
                        .with("why", why)
                        .mend(
                            "mend what it names and start the demo again; it goes on from there",
                        ));
                }
            }
        }
        if begun.elapsed() > limit {
            return Err(Error::new(
                mesh_core::ErrorKind::Timeout,
                "the flow is not done within the time allowed",
            )
            .with("seconds", limit.as_secs())
            .mend("see the logs in the data directory, or allow more with --timeout"));
        }
        tokio::time::sleep(ROUND).await;
    }
    view.finish();
    Ok(())
}

struct View {
    bars: Option<MultiProgress>,
    known: BTreeMap<String, ProgressBar>,
    last_line: Option<Instant>,
}

impl View {
    fn new() -> Self {
        Self {
            bars: ui::is_terminal().then(MultiProgress::new),
            known: BTreeMap::new(),
            last_line: None,
        }
    }

    fn show(&mut self, found: &[FoundDomain], statuses: &[Option<DomainStatus>], at: Duration) {
        if self.bars.is_some() {
            for (domain, status) in found.iter().zip(statuses) {
                self.draw(domain, status.as_ref());
            }
            return;
        }
        if self
            .last_line
            .is_some_and(|last| last.elapsed() < Duration::from_secs(3))
        {
            return;
        }
        self.last_line = Some(Instant::now());
        let mut parts = Vec::new();
        for (domain, status) in found.iter().zip(statuses) {
            parts.push(match status {
                None => format!("{} is starting", domain.name),
                Some(status) => describe(&domain.name, status),
            });
        }
        ui::line(format!("{:>4} s  {}", at.as_secs(), parts.join("; ")));
    }

    fn draw(&mut self, domain: &FoundDomain, status: Option<&DomainStatus>) {
        let Some(status) = status else {
            self.bar(
                &domain.name,
                &format!("{} is starting", domain.name),
                0,
                None,
            );
            return;
        };
        let title = format!("{}: {} records published", domain.name, status.published());
        self.bar(&domain.name, &title, 0, None);
        for source in &status.sources {
            let key = format!("{}/{}", domain.name, source.name);
            self.bar(
                &key,
                &format!("  reads {}", source.name),
                source.position,
                Some(source.total.unwrap_or(source.position)),
            );
        }
        for handler in &status.handlers {
            let key = format!("{}/{}", domain.name, handler.name);
            let total = handler.handled + handler.lag.unwrap_or(0);
            let title = if handler.set_aside > 0 {
                format!("  {} ({} set aside)", handler.name, handler.set_aside)
            } else {
                format!("  {}", handler.name)
            };
            self.bar(&key, &title, handler.handled, Some(total));
        }
    }

    fn bar(&mut self, key: &str, title: &str, position: u64, total: Option<u64>) {
        let Some(bars) = &self.bars else { return };
        let bar = self.known.entry(key.to_owned()).or_insert_with(|| {
            let template = if total.is_some() {
                "{msg:32} {bar:30.cyan/dim} {human_pos:>9} of {human_len}"
            } else {
                "{msg}"
            };
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━━─");
            bars.add(ProgressBar::new(0).with_style(style))
        });
        bar.set_message(title.to_owned());
        if let Some(total) = total {
            bar.set_length(total);
            bar.set_position(position);
        }
        bar.tick();
    }

    fn finish(&self) {
        for bar in self.known.values() {
            bar.abandon();
        }
    }
}

fn describe(name: &str, status: &DomainStatus) -> String {
    let mut parts = Vec::new();
    for source in status.sources.iter().filter(|source| !source.done) {
        parts.push(match source.total {
            Some(total) => format!("{} {}/{}", source.name, source.position, total),
            None => format!("{} {}", source.name, source.position),
        });
    }
    for handler in &status.handlers {
        let lag = handler.lag.unwrap_or(0);
        if lag > 0 || handler.set_aside > 0 {
            parts.push(format!(
                "{} {} done, {lag} to do, {} set aside",
                handler.name, handler.handled, handler.set_aside
            ));
        }
    }
    let rest = if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    };
    format!("{name} {} published{rest}", status.published())
}
