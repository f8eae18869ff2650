//! Transactions: statements only read, so all that they hold together is settings and
//! cursors, and that nothing runs after a failure.

use pgwire::messages::PgWireBackendMessage as Out;
use pgwire::messages::response::{ReadyForQuery, TransactionStatus};

use super::client::Client;
use super::report::{Failure, IN_FAILED_TRANSACTION, notice};

/// The transaction of a connection.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    status: Status,
    savepoints: Vec<String>,
    /// What was set since it began.
    pub(super) changes: Vec<Change>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Status {
    #[default]
    None,
    Open,
    Failed,
}

/// A setting as it was before.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) before: Option<String>,
    /// Whether it ends with the transaction however that ends.
    pub(super) local: bool,
}

impl Transaction {
    pub(super) fn ready(&self) -> Out {
        let status = match self.status {
            Status::None => TransactionStatus::Idle,
            Status::Open => TransactionStatus::Transaction,
            Status::Failed => TransactionStatus::Error,
        };
        Out::ReadyForQuery(ReadyForQuery::new(status))
    }

    pub(super) fn is_open(&self) -> bool {
        self.status != Status::None
    }

    pub(super) fn fail(&mut self) {
        if self.status == Status::Open {
            self.status = Status::Failed;
        }
    }

    /// Refuses what may not run in a transaction that has failed.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.status {
            Status::Failed => Err(Failure::new(
                IN_FAILED_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            )
            .mend("ROLLBACK")),
            _ => Ok(()),
        }
    }

    fn savepoint(&self, name: &str) -> Result<usize, Failure> {
        let found = self.savepoints.iter().rposition(|one| one == name);
        found.ok_or_else(|| {
            let name: String = name.chars().take(64).collect();
            Failure::new("3B001", format!("savepoint \"{name}\" does not exist"))
        })
    }
}

impl Client {
    pub(super) fn begin(&mut self) -> Result<String, Failure> {
        if self.transaction.is_open() {
            let text = "there is already a transaction in progress";
            self.wire.push(&notice("WARNING", "25001", text))?;
        } else {
            self.transaction.status = Status::Open;
        }
        Ok("BEGIN".to_owned())
    }

    /// Ends the transaction, and all cursors and changes that end with it.
    pub(super) fn end(&mut self, commit: bool) -> Result<String, Failure> {
        let transaction = std::mem::take(&mut self.transaction);
        let word = match (transaction.status, commit) {
            (Status::None, _) => {
                let text = "there is no transaction in progress";
                self.wire.push(&notice("WARNING", "25P01", text))?;
                if commit { "COMMIT" } else { "ROLLBACK" }
            }
            (Status::Open, true) => "COMMIT",
            (Status::Open | Status::Failed, _) => "ROLLBACK",
        };
        for change in transaction.changes.into_iter().rev() {
            if change.local || word == "ROLLBACK" {
                self.restore(&change.name, change.before.as_deref())?;
            }
        }
        self.portals.retain(|_, portal| portal.hold);
        Ok(word.to_owned())
    }

    fn check_open(&self, word: &str) -> Result<(), Failure> {
        match self.transaction.is_open() {
            true => Ok(()),
            false => Err(Failure::new(
                "25P01",
                format!("{word} can only be used in transaction blocks"),
            )),
        }
    }

    pub(super) fn set_savepoint(&mut self, name: &str) -> Result<String, Failure> {
        self.check_open("SAVEPOINT")?;
        self.transaction.savepoints.push(name.to_owned());
        Ok("SAVEPOINT".to_owned())
    }

    pub(super) fn release(&mut self, name: &str) -> Result<String, Failure> {
        self.check_open("RELEASE SAVEPOINT")?;
        let at = self.transaction.savepoint(name)?;
        self.transaction.savepoints.truncate(at);
        Ok("RELEASE".to_owned())
    }

    pub(super) fn rollback_to(&mut self, name: &str) -> Result<String, Failure> {
        self.check_open("ROLLBACK TO SAVEPOINT")?;
        let at = self.transaction.savepoint(name)?;
        self.transaction.savepoints.truncate(at + 1);
        self.transaction.status = Status::Open;
        Ok("ROLLBACK".to_owned())
    }
}
