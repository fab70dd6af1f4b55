//! Answers instead of programs, so that everything can be tested where no tool is installed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::invocation::{Invocation, OnLine, Output, RunError, Runner, Running};
use crate::processes::Lines;

/// A [`Runner`] that starts nothing: it answers from a list.
///
/// The first pattern that occurs in the command line decides. Answers of the same pattern are
/// given in order, and the last of them again and again. A command without an answer is a program
/// that is not installed.
///
/// ```
/// use std::sync::Arc;
/// use kind_rs::{Kind, Output, Recorded};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), kind_rs::Error> {
/// let runner = Recorded::new()
///     .answer("kind version", Output::success("kind v0.33.0 go1.26.8 linux/amd64\n"))
///     .answer("docker version", Output::success(r#"{"Client": {"Version": "28.2.2"}}"#));
/// let kind = Kind::builder().runner(Arc::new(runner)).detect().await?;
/// assert_eq!(kind.version().minor, 33);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Recorded {
    answers: Vec<(String, Answers)>,
    invocations: Mutex<Vec<Invocation>>,
}

#[derive(Debug, Default)]
struct Answers {
    outputs: Vec<Output>,
    given: Mutex<usize>,
}

impl Recorded {
    /// A runner without answers: nothing is installed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an answer to all commands whose line (see [`Invocation::line`]) contains `pattern`.
    #[must_use]
    pub fn answer(mut self, pattern: impl Into<String>, output: Output) -> Self {
        let pattern = pattern.into();
        let known = self.answers.iter_mut().find(|(other, _)| *other == pattern);
        match known {
            Some((_, answers)) => answers.outputs.push(output),
            None => {
                let answers = Answers { outputs: vec![output], given: Mutex::default() };
                self.answers.push((pattern, answers));
            }
        }
        self
    }

    /// All that was asked for, in order.
    #[must_use]
    pub fn invocations(&self) -> Vec<Invocation> {
        locked(&self.invocations).clone()
    }

    /// The command lines of all that was asked for, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.invocations().iter().map(Invocation::line).collect()
    }

    fn next(&self, invocation: &Invocation) -> Option<Output> {
        let line = invocation.line();
        let (_, answers) =
            self.answers.iter().find(|(pattern, _)| line.contains(pattern.as_str()))?;
        let mut given = locked(&answers.given);
        let output = answers.outputs.get(*given).or(answers.outputs.last())?;
        *given += 1;
        Some(output.clone())
    }
}

/// A panic of another test must not hide what was recorded.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runner for Recorded {
    fn run<'a>(&'a self, invocation: &'a Invocation, on_line: Option<OnLine<'a>>) -> Running<'a> {
        Box::pin(async move {
            locked(&self.invocations).push(invocation.clone());
            let output = self.next(invocation).ok_or(RunError::NotFound)?;
            if let Some(on_line) = on_line {
                let mut lines = Lines::default();
                lines.take(&output.stderr, on_line);
                lines.finish(on_line);
            }
            Ok(output)
        })
    }
}
