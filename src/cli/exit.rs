//! Exit codes, and the errors that lead to them.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// Why a command did not succeed. Its number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Anything that has no number of its own.
    Failed = 1,
    /// The command line, the campaign or another file that the user wrote is wrong; nothing was written.
    Usage = 2,
    /// Stopped before its end and by nobody's wish, with the dataset in order; the same command goes on
    /// from there.
    Incomplete = 3,
    /// This vantage cannot measure: no privilege, no address, no route.
    VantageUnfit = 4,
    /// The dataset cannot be read or written.
    Storage = 5,
    /// Stopped by SIGINT.
    Interrupted = 130,
    /// Stopped by SIGTERM.
    Terminated = 143,
}

/// A failed command: its exit code, and what to tell the user.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// A failure with this code.
    pub fn new(code: Code, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { code, error: error.into() }
    }

    /// What the process returns.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(u8::try_from(self.code as u32).unwrap_or(1))
    }
}

/// The whole chain of causes in one line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        let mut cause = self.error.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Gives an error the exit code of its kind.
pub(super) trait OrFail<T> {
    /// The value, or a failure with this code.
    ///
    /// # Errors
    /// The failure.
    fn or_fail(self, code: Code) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrFail<T> for Result<T, E> {
    fn or_fail(self, code: Code) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(code, error))
    }
}
