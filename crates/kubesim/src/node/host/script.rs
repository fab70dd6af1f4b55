//! Shell scripts of simple statements: lists with `;`, line ends, `&&` and `||`, and branches.

use kubesim_model::Millis;

use super::program::{FOREVER, Program, Statement, UNKNOWN, ended, of_words, statement};
use super::variables::{self, Variables};

/// What a script does, as far as it is understood.
pub(super) fn program(text: &str, variables: &Variables) -> Program {
    let mut shell = Shell::new(variables);
    for line in text.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(end) = shell.line(line) {
            return end;
        }
    }
    Program { on_term: shell.on_term, ..ended(shell.after, shell.code) }
}

struct Shell<'v> {
    variables: &'v Variables,
    after: Millis,
    code: i32,
    on_term: Option<i32>,
    err_exit: bool,
    branch: Branch,
}

/// Where in an `if` a script is.
#[derive(Clone, Copy, PartialEq)]
enum Branch {
    Outside,
    /// In the condition.
    Asked,
    /// In what is done.
    Taken,
    /// Before what may be done.
    Sought,
    /// After what was done.
    Done,
}

impl<'v> Shell<'v> {
    fn new(variables: &'v Variables) -> Self {
        let branch = Branch::Outside;
        Shell { variables, after: 0, code: 0, on_term: None, err_exit: false, branch }
    }

    /// Runs a line; answers the program if it ends or is not understood.
    fn line(&mut self, line: &str) -> Option<Program> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match (word, self.branch) {
            ("if", Branch::Outside) => {
                self.branch = Branch::Asked;
                self.list(rest, true)
            }
            ("if", _) => Some(UNKNOWN),
            ("then", Branch::Asked) => {
                self.branch = if self.code == 0 { Branch::Taken } else { Branch::Sought };
                self.list_if_taken(rest)
            }
            ("then", _) => None,
            ("elif", Branch::Sought) => {
                self.branch = Branch::Asked;
                self.list(rest, true)
            }
            ("elif" | "else", Branch::Taken | Branch::Done) => {
                self.branch = Branch::Done;
                None
            }
            ("else", _) => {
                self.branch = Branch::Taken;
                self.list(rest, false)
            }
            ("fi", _) => {
                // An `if` of which nothing was done succeeds.
                self.code = if self.branch == Branch::Sought { 0 } else { self.code };
                self.branch = Branch::Outside;
                None
            }
            _ => self.list_if_taken(line),
        }
    }

    fn list_if_taken(&mut self, list: &str) -> Option<Program> {
        if matches!(self.branch, Branch::Sought | Branch::Done) || list.is_empty() {
            return None;
        }
        self.list(list, self.branch == Branch::Asked)
    }

    /// Runs statements that are joined by `&&` and `||`. What is only tested ends nothing.
    fn list(&mut self, list: &str, is_tested: bool) -> Option<Program> {
        let mut rest = list;
        let mut wanted = true;
        loop {
            let (and, or) = (rest.find("&&"), rest.find("||"));
            let next = [and, or].into_iter().flatten().min();
            let part = next.map_or(rest, |at| &rest[..at]).trim();
            if wanted
                && !part.is_empty()
                && let Some(end) = self.run(part)
            {
                return Some(end);
            }
            let Some(at) = next else { break };
            wanted = (self.code == 0) == (Some(at) == and);
            rest = &rest[at + 2..];
        }
        let fails = self.code != 0 && self.err_exit && !is_tested && wanted;
        fails.then(|| Program { on_term: self.on_term, ..ended(self.after, self.code) })
    }

    fn run(&mut self, part: &str) -> Option<Program> {
        let part = variables::in_script(part, self.variables);
        match statement(&part) {
            Statement::Takes(time, result) => {
                self.after = self.after.saturating_add(time);
                self.code = result;
                None
            }
            Statement::Exit(code) => {
                Some(Program { on_term: self.on_term, ..ended(self.after, code) })
            }
            Statement::Forever => Some(Program { on_term: self.on_term, ..FOREVER }),
            Statement::Trap(handler) => {
                self.on_term = handler;
                None
            }
            Statement::ErrExit => {
                self.err_exit = true;
                None
            }
            Statement::Exec(words) => Some(of_words(&words, self.variables)),
            Statement::Unknown => Some(UNKNOWN),
        }
    }
}
