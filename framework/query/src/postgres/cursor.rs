//! Cursors in SQL: portals that DECLARE makes and FETCH runs on.

use std::sync::Arc;

use mesh_core::{Error, ErrorKind};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::client::{Client, no_portal};
use super::command::Count;
use super::encode::Format;
use super::portal::{Kind, Portal, State};
use super::report::Failure;

impl Client {
    pub(super) async fn declare(
        &mut self,
        name: &str,
        hold: bool,
        sql: &str,
        stop: &Notify,
    ) -> Result<(), Failure> {
        if !hold && !self.transaction.is_open() {
            return Err(Failure::new(
                "25P01",
                "DECLARE CURSOR can only be used in transaction blocks",
            ));
        }
        if self.portals.contains_key(name) {
            let name: String = name.chars().take(64).collect();
            return Err(Failure::new(
                "42P03",
                format!("cursor \"{name}\" already exists"),
            ));
        }
        let prepared = self.prepare_rows(sql, &[], stop).await?;
        if !prepared.types.is_empty() {
            return Err(Failure::new("42P02", "a cursor has no parameters"));
        }
        let count = prepared
            .schema
            .as_ref()
            .map_or(0, |schema| schema.fields().len());
        let formats = vec![Format::Text; count];
        let mut portal = Portal::new(Arc::new(prepared), Vec::new(), formats);
        portal.hold = hold;
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    pub(super) async fn fetch(
        &mut self,
        name: &str,
        count: Count,
        moves: bool,
        asking: &mut Portal,
        stop: &Notify,
    ) -> Result<usize, Failure> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_portal(name))?;
        let most = match count {
            Count::Rows(most) => most,
            Count::All => usize::MAX,
        };
        if let (State::Ready, Kind::Rows(reading)) = (&portal.state, &portal.statement.kind) {
            let reading = reading.clone();
            let result = self.start(&reading, Vec::new(), stop).await?;
            portal.state = State::Running {
                result: Some(Box::new(result)),
                rows: None,
                until: Instant::now() + self.door.engine.config().timeout,
            };
        }
        // The client that asks says in which format.
        if !asking.formats.is_empty() {
            portal.formats = asking.formats.clone();
        }
        let (sent, _) = match portal.state {
            State::Expired => {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    "the rows were not fetched in the time that a statement may take",
                )
                .into());
            }
            _ => self.send(&mut portal, most, !moves, stop).await?,
        };
        self.portals.insert(name.to_owned(), portal);
        asking.state = State::Done;
        Ok(sent)
    }
}
