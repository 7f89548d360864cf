use std::{
    fmt::{self, Write},
    time::Duration,
};

use super::Case;

/// What became of each case on one transport. Its `Display` is a table.
#[derive(Clone, Debug)]
#[must_use = "a report says whether the transport conforms"]
pub struct Report {
    name: String,
    results: Vec<CaseResult>,
}

/// What became of one case.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// The case.
    pub case: Case,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Duration,
}

/// How a case can end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is true of the transport.
    Passed {
        /// What is worth knowing beside that: where a transport may choose, what it did in this run.
        notes: Vec<String>,
    },
    /// It is not true: what was expected, what was found, and the line of the suite that says so.
    Failed(String),
    /// It cannot be asked of this transport, and why.
    NotApplicable(String),
}

impl Report {
    pub(super) fn new(name: String, results: Vec<CaseResult>) -> Self {
        Self { name, results }
    }

    /// What the report is about: the transport's name, or [the one given](super::Conformance::named).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Each case that was run or left out, in the order of [`Case::ALL`].
    pub fn results(&self) -> &[CaseResult] {
        &self.results
    }

    /// Whether no case failed.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Prints the report to the standard output and ends the test where a case failed.
    ///
    /// # Panics
    /// When a case failed, with the whole table.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.passed(), "{self}");
        println!("{self}");
    }

    fn failures(&self) -> impl Iterator<Item = &CaseResult> {
        self.results.iter().filter(|result| matches!(result.outcome, Outcome::Failed(_)))
    }

    fn outcome(&self, case: Case) -> Option<&Outcome> {
        self.results.iter().find(|result| result.case == case).map(|result| &result.outcome)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut topic = "";
        let (mut passed, mut left_out) = (0, 0);
        writeln!(f, "Conformance of {}", self.name)?;
        for CaseResult { case, outcome, duration } in &self.results {
            if case.topic() != topic {
                topic = case.topic();
                writeln!(f, "\n{topic}")?;
            }
            let (word, remarks) = match outcome {
                Outcome::Passed { notes } => ("passed", notes.as_slice()),
                Outcome::Failed(reason) => ("FAILED", std::slice::from_ref(reason)),
                Outcome::NotApplicable(reason) => ("-", std::slice::from_ref(reason)),
            };
            passed += usize::from(matches!(outcome, Outcome::Passed { .. }));
            left_out += usize::from(matches!(outcome, Outcome::NotApplicable(_)));
            writeln!(f, "  {word:<7}{:>6} ms  {case}", duration.as_millis())?;
            for remark in remarks {
                writeln!(f, "{:20}{remark}", "")?;
            }
        }
        let failed = self.results.len() - passed - left_out;
        write!(f, "\n{passed} passed, {failed} failed, {left_out} not applicable")
    }
}

/// The reports side by side, as a table in Markdown: a row a case, a column a report, and below it why a case is not
/// applicable or has failed. The same outcomes give the same text: notes, which may differ from run to run, are left
/// to the reports.
pub fn matrix(reports: &[Report]) -> String {
    let mut table = String::new();
    let mut remarks = Vec::new();
    let headings: String = reports.iter().map(|report| format!(" {} |", report.name)).collect();
    let mut topic = "";
    for case in Case::ALL {
        if case.topic() != topic {
            topic = case.topic();
            let rule = "---|".repeat(reports.len() + 1);
            let _ = writeln!(table, "\n| {topic} |{headings}\n|{rule}");
        }
        let cells: String = reports.iter().map(|report| cell(report, *case, &mut remarks)).collect();
        let _ = writeln!(table, "| {case} |{cells}");
    }
    if !remarks.is_empty() {
        table.push('\n');
    }
    for (index, remark) in remarks.iter().enumerate() {
        let _ = writeln!(table, "{}. {remark}", index + 1);
    }
    table
}

fn cell(report: &Report, case: Case, remarks: &mut Vec<String>) -> String {
    let (word, own) = match report.outcome(case) {
        None => return " not run |".to_owned(),
        Some(Outcome::Passed { .. }) => ("yes", [].as_slice()),
        Some(Outcome::Failed(reason)) => ("**no**", std::slice::from_ref(reason)),
        Some(Outcome::NotApplicable(reason)) => ("-", std::slice::from_ref(reason)),
    };
    let mut cell = format!(" {word}");
    for remark in own {
        let index = remarks.iter().position(|known| known == remark).unwrap_or_else(|| {
            remarks.push(remark.clone());
            remarks.len() - 1
        });
        let _ = write!(cell, " ({})", index + 1);
    }
    cell + " |"
}
