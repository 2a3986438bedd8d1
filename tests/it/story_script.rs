//! The scripts of the stories (`tests/data/story/*.txt`), as they stand.

/// What happens next.
#[derive(Debug)]
pub(crate) enum Event {
    /// A person consents: name, collector, what it takes the place of; for whom which classes, which of them ticked.
    Consent {
        name: String,
        by: String,
        before: Option<String>,
        items: Vec<Part>,
    },
    /// A consent is withdrawn.
    Withdrawal {
        name: String,
        by: String,
    },
    Message(Sent),
}

/// A part of a consent.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) parties: Vec<String>,
    /// `all`, or each class.
    pub(crate) classes: Vec<String>,
    pub(crate) ticked: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) kind: String,
    /// What it decides.
    pub(crate) word: Option<String>,
    pub(crate) purposes: Vec<String>,
    pub(crate) refused: Option<String>,
}

/// How somebody is told of the case from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) state: String,
    pub(crate) relation: String,
    pub(crate) on_behalf_of: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) event: Event,
    pub(crate) told: Vec<(String, Told)>,
}

pub(crate) fn read(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if !line.starts_with(' ') {
            steps.push(Step { line: number, event: event(&words), told: Vec::new() });
            continue;
        }
        let step = steps.last_mut().unwrap();
        if let Event::Consent { items, .. } = &mut step.event {
            let parts: Vec<Vec<String>> = line.split(':').map(|part| part.split_whitespace().map(str::to_owned).collect()).collect();
            let [parties, classes, ticked] = <[_; 3]>::try_from(parts).unwrap_or_else(|_| panic!("line {number}: {line}"));
            items.push(Part { parties, classes, ticked });
        } else {
            let on_behalf_of = words.iter().position(|word| word == "for").map(|at| words[at + 1].clone());
            step.told.push((words[0].clone(), Told { state: words[1].clone(), relation: words[2].clone(), on_behalf_of }));
        }
    }
    steps
}

fn event(words: &[String]) -> Event {
    let behind = |word: &str| words.iter().position(|found| found == word).map(|at| words[at + 1..].to_vec());
    let by = || behind("by").unwrap()[0].clone();
    match words[0].as_str() {
        "consent" => {
            Event::Consent { name: words[1].clone(), by: by(), before: behind("of").map(|rest| rest[0].clone()), items: Vec::new() }
        }
        "withdraw" => Event::Withdrawal { name: words[1].clone(), by: by() },
        _ => {
            assert_eq!((words[1].as_str(), words[3].as_str()), ("->", ":"), "{words:?}");
            let word = Some(words[5].clone()).filter(|word| word != "for");
            let purposes = behind("for").unwrap().into_iter().take_while(|word| word != "!").collect();
            let refused = behind("!").map(|rest| rest[0].clone());
            Event::Message(Sent { from: words[0].clone(), to: words[2].clone(), kind: words[4].clone(), word, purposes, refused })
        }
    }
}

#[test]
fn a_script_is_read_line_by_line() {
    let steps = read(
        "# x\nconsent one by city in place of zero\n  home1 day : all : family\n\ncity -> home1 : enquiry for placement ! no\n\nhome1 -> city : enquiry_reply possible for placement\n  home1 open prospective\n  core open assigned for city\n",
    );
    let [consent, refused, reply] = steps.as_slice() else { panic!("{steps:?}") };
    let Event::Consent { before, items, .. } = &consent.event else { panic!("{consent:?}") };
    assert_eq!((before.as_deref(), items[0].parties.len(), items[0].ticked.as_slice()), (Some("zero"), 2, &["family".to_owned()][..]));
    let Event::Message(sent) = &refused.event else { panic!("{refused:?}") };
    assert_eq!((sent.kind.as_str(), sent.word.as_deref(), sent.refused.as_deref()), ("enquiry", None, Some("no")));
    assert_eq!((reply.told.len(), reply.told[1].1.on_behalf_of.as_deref(), reply.line), (2, Some("city"), 7));
}
