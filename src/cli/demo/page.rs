//! How the demo speaks: numbered steps with sentences, checks, refusals and tables for a person; one JSON object a step for a machine.

use std::fmt::Display;

use serde_json::{Map, Value, json};

use super::layout::{Table, width, wrap};
use crate::{
    cli::Voice,
    client::Problem,
    text::{Lang, demo::Line},
};

/// What was said so far.
pub(super) struct Page {
    voice: Voice,
    colours: bool,
    step: Option<Step>,
    number: usize,
    checks: usize,
    refusals: usize,
}

struct Step {
    id: &'static str,
    title: String,
    checked: Vec<String>,
    refused: Vec<Value>,
    facts: Map<String, Value>,
}

impl Page {
    pub(super) fn new(voice: Voice) -> Self {
        let colours = voice.terminal && !voice.json && std::env::var_os("NO_COLOR").is_none();
        Self { voice, colours, step: None, number: 0, checks: 0, refusals: 0 }
    }

    /// The language.
    pub(super) const fn lang(&self) -> Lang {
        self.voice.lang
    }

    /// The title of everything.
    pub(super) fn headline(&self, line: Line) {
        if !self.voice.json {
            println!("\n{}\n", self.paint(BOLD, "tsunagi demo  つなぎ"));
            paragraph(&line.say(self.lang(), &[]), "");
        }
    }

    /// Begins a step.
    pub(super) fn step(&mut self, id: &'static str, title: Line) {
        self.end();
        self.number += 1;
        let title = title.say(self.lang(), &[]);
        if !self.voice.json {
            println!("\n{}\n", self.paint(BOLD, &format!("{:>2}  {title}", self.number)));
        }
        self.step = Some(Step { id, title, checked: Vec::new(), refused: Vec::new(), facts: Map::new() });
    }

    /// Ends the step: a machine gets its object now.
    pub(super) fn end(&mut self) {
        let Some(step) = self.step.take() else { return };
        if self.voice.json {
            let mut object =
                json!({"step": self.number, "id": step.id, "title": step.title, "checked": step.checked, "refused": step.refused});
            if let Some(members) = object.as_object_mut() {
                members.extend(step.facts);
            }
            println!("{object}");
        }
    }

    /// The end of everything: a person gets a sentence, a machine its last object.
    pub(super) fn summary(&mut self, line: Line) {
        self.end();
        let (checks, refusals) = (self.checks, self.refusals);
        if self.voice.json {
            println!("{}", json!({"step": self.number + 1, "id": "summary", "checks": checks, "refusals": refusals}));
        } else {
            println!();
            paragraph(&line.say(self.lang(), &[&checks, &refusals]), INDENT);
            println!();
        }
    }

    /// A sentence.
    pub(super) fn say(&self, line: Line, values: &[&dyn Display]) {
        if !self.voice.json {
            paragraph(&line.say(self.lang(), values), INDENT);
            println!();
        }
    }

    /// A remark at the end of a step.
    pub(super) fn note(&self, line: Line, values: &[&dyn Display]) {
        if !self.voice.json {
            marked(" ", &line.say(self.lang(), values));
        }
    }

    /// A label and what belongs to it; further lines stand under the first.
    pub(super) fn hanging(&self, label: Line, text: &str) {
        if self.voice.json {
            return;
        }
        let label = label.say(self.lang(), &[]);
        for (number, line) in wrap(text, ROOM - width(INDENT) - width(&label) - 2).iter().enumerate() {
            let shown = if number == 0 { self.paint(DIM, &label) } else { " ".repeat(width(&label)) };
            println!("{INDENT}{shown}  {line}");
        }
    }

    /// Something that was verified.
    pub(super) fn check(&mut self, line: Line, values: &[&dyn Display]) {
        self.checks += 1;
        let text = line.say(self.lang(), values);
        if !self.voice.json {
            marked(&self.paint(GREEN, "✓"), &text);
        }
        if let Some(step) = &mut self.step {
            step.checked.push(text);
        }
    }

    /// Something that was refused: what was tried, and the gateway's answer.
    pub(super) fn refused(&mut self, tried: &str, problem: &Problem) {
        self.refused_alike(&[tried], problem);
    }

    /// Several things that were refused with the same answer.
    pub(super) fn refused_alike(&mut self, tried: &[&str], problem: &Problem) {
        self.refusals += tried.len();
        if !self.voice.json {
            for what in tried {
                marked(&self.paint(RED, "✗"), what);
            }
            marked(" ", &format!("{} {}  {}", problem.status, problem.code, problem.title));
            for line in wrap(&problem.detail, ROOM - width(INDENT) - 2) {
                println!("{INDENT}  {}", self.paint(DIM, &line));
            }
        }
        let Some(step) = &mut self.step else { return };
        let violations: Vec<Value> =
            problem.violations.iter().map(|row| json!({"field": row.field, "rule": row.rule, "class": row.class})).collect();
        step.refused.extend(tried.iter().map(|what| {
            json!({
                "tried": what, "status": problem.status, "code": problem.code, "title": problem.title, "detail": problem.detail,
                "violations": violations,
            })
        }));
    }

    /// A table.
    pub(super) fn table(&self, table: &Table) {
        if self.voice.json {
            return;
        }
        for (number, line) in table.lines().iter().enumerate() {
            let line = if number < 2 { self.paint(DIM, line) } else { line.clone() };
            println!("{INDENT}{line}");
        }
        println!();
    }

    /// What another process said, line by line.
    pub(super) fn quote(&self, command: &str, said: &str) {
        if self.voice.json {
            return;
        }
        println!("{INDENT}{}", self.paint(DIM, &format!("$ {command}")));
        for line in said.lines() {
            let text = line.trim_start();
            let indent = " ".repeat(line.len() - text.len() + 2);
            for (number, part) in wrap(text, ROOM - width(INDENT) - indent.len() - 2).iter().enumerate() {
                println!("{INDENT}{indent}{}{part}", if number == 0 { "" } else { "  " });
            }
        }
        println!();
    }

    /// A command and what it is for.
    pub(super) fn command(&self, command: &str, why: Line) {
        if !self.voice.json {
            println!("{INDENT}{}", self.paint(DIM, &format!("# {}", why.say(self.lang(), &[]))));
            println!("{INDENT}{command}");
        }
    }

    /// An empty line.
    pub(super) fn gap(&self) {
        if !self.voice.json {
            println!();
        }
    }

    /// Something a machine wants to know about the step.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(step) = &mut self.step {
            step.facts.insert(name.to_owned(), value.into());
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn marked(mark: &str, text: &str) {
    for (number, line) in wrap(text, ROOM - width(INDENT) - 2).iter().enumerate() {
        println!("{INDENT}{} {line}", if number == 0 { mark } else { " " });
    }
}

fn paragraph(text: &str, indent: &str) {
    for line in wrap(text, ROOM - width(indent)) {
        println!("{indent}{line}");
    }
}

/// Columns of a line.
const ROOM: usize = 80;
const INDENT: &str = "    ";
const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const RED: &str = "31";
