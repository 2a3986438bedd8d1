//! `tsunagi policy explain`: which policies permit or withhold, for one situation, and on what they rest.

use clap::Args;
use serde_json::json;

use super::{CliError, SetArgs, Voice, say, words};
use crate::{
    decision::{ClassReasons, Reason},
    domain::{
        agreement::AgreementState,
        case::Relation,
        codes::{LegalBasis, MessageKind, Purpose},
        consent::ConsentState,
        field::FieldClass,
        party::PartyKind,
    },
    policy::{CodeList, Deed, Key, PolicySet, RuleId},
    text::Lang,
};

/// Says, in Japanese and English, what would be shown and why. Assumes an agreement and a consent that cover, unless told otherwise.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    set: SetArgs,
    /// Kind of the sender, such as settlement_center.
    #[arg(long)]
    sender: PartyKind,
    /// Kind of the reader, such as municipality.
    #[arg(long)]
    reader: PartyKind,
    /// Message kind, such as referral.
    #[arg(long)]
    kind: MessageKind,
    /// Purpose of the read, such as placement_coordination.
    #[arg(long)]
    purpose: Purpose,
    /// Relation of the reader to the case, such as assigned.
    #[arg(long)]
    relation: Relation,
    /// Legal basis the message names.
    #[arg(long, default_value = "consent_69_2_1")]
    basis: LegalBasis,
    /// What the agreement says.
    #[arg(long, default_value = "covers")]
    agreement: AgreementState,
    /// What the consent says; covers_ticked: the person ticked the item.
    #[arg(long, default_value = "covers")]
    consent: ConsentState,
    /// The consent names the kind of the reader, not the reader itself.
    #[arg(long)]
    unnamed: bool,
    /// One class; left out: every class.
    #[arg(long)]
    class: Option<FieldClass>,
}

pub(super) fn run(args: &ExplainArgs, voice: Voice) -> Result<(), CliError> {
    let set = args.set.load()?;
    let classes = args.class.map_or_else(|| FieldClass::ALL.to_vec(), |class| vec![class]);
    let told: Vec<ClassReasons> = classes.into_iter().map(|class| ClassReasons::of(&set, &args.key(&set, class))).collect();
    let sending = set.may(args.sender, Deed::Submit { kind: args.kind, recipient: args.reader });
    let (permits, forbids) = (&sending.permits, &sending.forbids);
    if voice.json {
        let sending = json!({"allow": sending.allow, "permitted_by": permits, "withheld_by": forbids});
        return say(json!({"policy": set.digest(), "sending": sending, "classes": told}));
    }
    say(args.question(&set, voice.lang))?;
    let why = |rules: &[RuleId]| rules.iter().map(RuleId::as_str).collect::<Vec<_>>().join(" ");
    say(match (sending.allow, voice.lang) {
        (true, Lang::En) => format!("This kind may be sent so ({}).", why(permits)),
        (true, Lang::Ja) => format!("この種別はこの相手に送れる（{}）。", why(permits)),
        (false, Lang::En) => {
            format!("This kind may not be sent so ({}).", if forbids.is_empty() { "no policy permits it".to_owned() } else { why(forbids) })
        }
        (false, Lang::Ja) => {
            format!("この種別はこの相手に送れない（{}）。", if forbids.is_empty() { "許可する方針がない".to_owned() } else { why(forbids) })
        }
    })?;
    for reasons in &told {
        class(&set, reasons, voice.lang)?;
    }
    Ok(())
}

fn class(set: &PolicySet, reasons: &ClassReasons, lang: Lang) -> Result<(), CliError> {
    let code = reasons.class.as_str();
    let (en, ja) = (words::class(set, code, Lang::En), words::class(set, code, Lang::Ja));
    say(match (reasons.shown, lang) {
        (true, Lang::En) => format!("● {code} ({en} / {ja}): shown"),
        (false, Lang::En) => format!("－ {code} ({en} / {ja}): withheld"),
        (true, Lang::Ja) => format!("● {code}（{ja} / {en}）: 開示する"),
        (false, Lang::Ja) => format!("－ {code}（{ja} / {en}）: 開示しない"),
    })?;
    for reason in &reasons.withheld_by {
        say(line(lang.of("withheld by", "止めるもの"), reason))?;
    }
    for reason in &reasons.permitted_by {
        say(line(lang.of("permitted by", "許可する方針"), reason))?;
    }
    Ok(())
}

fn line(heading: &str, Reason { rule, ja, en, basis }: &Reason) -> String {
    format!("    {heading} {rule}: {ja} / {en} [{basis}]")
}

impl ExplainArgs {
    fn key(&self, set: &PolicySet, class: FieldClass) -> Key {
        Key {
            reader: self.reader,
            sender: self.sender,
            class,
            purpose: self.purpose,
            kind: self.kind,
            relation: self.relation,
            basis: set.basis_group(self.basis),
            agreement: self.agreement,
            consent: self.consent,
            named: !self.unnamed,
        }
    }

    /// The situation in words, with the article of the legal basis.
    fn question(&self, set: &PolicySet, lang: Lang) -> String {
        let label = |list, code| set.label(list, code, lang);
        let (sender, reader) = (label(CodeList::OrgKind, self.sender.as_str()), label(CodeList::OrgKind, self.reader.as_str()));
        let (kind, purpose) = (label(CodeList::MessageKind, self.kind.as_str()), label(CodeList::Purpose, self.purpose.as_str()));
        let relation = label(CodeList::Relation, self.relation.as_str());
        let (agreement, consent) =
            (label(CodeList::AgreementState, self.agreement.as_str()), label(CodeList::ConsentState, self.consent.as_str()));
        let (basis, article) =
            set.basis_text(self.basis).map_or((self.basis.as_str(), ""), |text| (lang.of(&text.en, &text.ja), text.article.as_str()));
        match lang {
            Lang::En => format!(
                "{sender} -> {reader}: {kind}, for {purpose}, standing as {relation}; legal basis: {basis} ({article}); agreement: {agreement}; consent: {consent}"
            ),
            Lang::Ja => format!(
                "{sender} → {reader}：{kind}、利用目的 {purpose}、関係 {relation}、提供根拠 {basis}（{article}）、協定 {agreement}、同意 {consent}"
            ),
        }
    }
}
