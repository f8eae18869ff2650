//! Questions at a terminal.

use std::io::{BufRead, Write};

use mesh_core::{Error, ErrorKind, Result};

/// A person who answers line by line.
pub(super) struct Ask<R, W> {
    input: R,
    output: W,
}

impl<R: BufRead, W: Write> Ask<R, W> {
    pub(super) fn new(input: R, output: W) -> Self {
        Self { input, output }
    }

    /// One line; empty at the end of the input.
    fn line(&mut self, question: &str) -> Result<String> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::FailedPrecondition, "nobody can be asked")
                .mend("give everything as options, see --help")
                .because(error)
        };
        write!(self.output, "{question} ").map_err(failed)?;
        self.output.flush().map_err(failed)?;
        let mut line = String::new();
        self.input.read_line(&mut line).map_err(failed)?;
        Ok(line.trim().to_owned())
    }

    fn say(&mut self, text: &str) {
        // Who does not see it sees the next question.
        let _ = writeln!(self.output, "{text}");
    }

    /// An answer that `read` takes; it is asked for again, and at the end of the input the last
    /// fault is the error.
    pub(super) fn until<T>(
        &mut self,
        question: &str,
        read: impl Fn(&str) -> Result<T>,
    ) -> Result<T> {
        loop {
            let answer = self.line(question)?;
            match read(&answer) {
                Ok(value) => return Ok(value),
                Err(error) if answer.is_empty() => return Err(error),
                Err(error) => self.say(&error.to_string()),
            }
        }
    }

    /// Answers that `read` takes, up to an empty line.
    pub(super) fn several<T>(
        &mut self,
        question: &str,
        read: impl Fn(&str) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut answers = Vec::new();
        loop {
            let answer = self.line(question)?;
            if answer.is_empty() {
                return Ok(answers);
            }
            match read(&answer) {
                Ok(value) => answers.push(value),
                Err(error) => self.say(&error.to_string()),
            }
        }
    }
}
