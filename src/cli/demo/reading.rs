//! Reading: the municipality's two views of one message, strangers who see nothing, receipts.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    layout::Table,
    material::in_one_line,
    story::{Read, Referred, Story, must, refused},
};
use crate::{
    cli::CliError,
    client::{Client, ClientError, Problem, Proven, Reading},
    domain::{
        case::Relation,
        codes::Purpose,
        field::{FieldClass, FieldKey},
        ids::CaseId,
        refusal::RefusalCode,
    },
    message::objects::{AckStatus, ReceiptStatus},
    text::demo as text,
};

impl Story<'_> {
    pub(super) async fn reads(&mut self, referred: &Referred) -> Result<Read, CliError> {
        let municipality = &self.cast.municipality;
        let page = municipality.list_cases(Purpose::PlacementCoordination, None, 10).await?;
        let [case] = page.cases.as_slice() else {
            return Err(CliError::unverified("the municipality's list does not hold exactly one case", "一覧の事案が 1 件ではありません"));
        };
        must(case.relation == Relation::Assigned, "the municipality is not assigned", "市町村が担当になっていません")?;
        must(case.case != referred.case_at_sender, "both sides know the case by one id", "両者の事案番号が同じです")?;
        let case = case.case;
        let placement = municipality.read_case(&case, Purpose::PlacementCoordination).await?;
        self.placement(&placement, referred);
        let benefit = self.cast.municipality.read_case(&case, Purpose::BenefitDecision).await?;
        self.benefit(&placement, &benefit, referred);
        Ok(Read { case, placement, benefit })
    }

    fn placement(&mut self, reading: &Proven<Reading>, referred: &Referred) {
        let lang = self.page.lang();
        let rows = &reading.release.disclosed.rows;
        let name = self.cast.name(self.cast.municipality.party(), lang);
        self.page.step("view_placement", text::PLACEMENT);
        self.page.say(text::PLACEMENT_IS, &[&name, &rows.len(), &referred.rows.len()]);
        let columns = [text::COL_CLASS, text::COL_ROWS, text::COL_EXAMPLE].map(|line| line.say(lang, &[]));
        let mut table = Table::new(&columns.iter().map(String::as_str).zip([30, 6, 36]).collect::<Vec<_>>());
        for (class, keys) in self.by_class(reading) {
            let Some(first) = keys.first() else { continue };
            let value = rows.iter().find(|row| row.key == *first).map_or_else(String::new, |row| in_one_line(&row.value));
            let example = format!("{}: {value}", self.material.title(first, lang));
            table.row([self.material.class_name(class, lang).to_owned(), keys.len().to_string(), example]);
        }
        self.page.table(&table);
        let place = reading.place();
        let hash = reading.release.sd_hash.to_string();
        self.page.check(text::SENDER_SIGNED, &[]);
        self.page.check(text::BOUND, &[&hash.get(..12).unwrap_or_default()]);
        self.page.check(text::RECORDED_FIRST, &[&place.index(), &place.checkpoint().size()]);
        self.view_facts(reading);
    }

    fn benefit(&mut self, placement: &Proven<Reading>, benefit: &Proven<Reading>, referred: &Referred) {
        let lang = self.page.lang();
        let (before, now) = (self.by_class(placement), self.by_class(benefit));
        let only = |these: &[(FieldClass, Vec<FieldKey>)], those: &[(FieldClass, Vec<FieldKey>)]| -> Vec<FieldClass> {
            these.iter().map(|(class, _)| *class).filter(|class| !those.iter().any(|(other, _)| other == class)).collect()
        };
        self.page.step("view_benefit", text::BENEFIT);
        self.page.say(text::BENEFIT_IS, &[&benefit.release.disclosed.rows.len(), &referred.rows.len()]);
        let (gone, new) = (only(&before, &now), only(&now, &before));
        let again: Vec<FieldClass> = now.iter().map(|(class, _)| *class).filter(|class| !new.contains(class)).collect();
        self.page.hanging(text::STILL_SHOWN, &self.material.class_names(&again, lang));
        self.page.hanging(text::NOW_SHOWN, &self.material.class_names(&new, lang));
        self.page.hanging(text::NOW_WITHHELD, &self.material.class_names(&gone, lang));
        self.page.gap();
        self.page.check(text::VIEW_PROVEN, &[&benefit.place().index()]);
        self.view_facts(benefit);
    }

    /// The rows of a view by class.
    fn by_class(&self, reading: &Reading) -> Vec<(FieldClass, Vec<FieldKey>)> {
        self.material.by_class(|key| reading.release.disclosed.rows.iter().any(|row| row.key == *key))
    }

    fn view_facts(&mut self, reading: &Proven<Reading>) {
        let rows: BTreeMap<String, _> = reading.release.disclosed.rows.iter().map(|row| (row.key.to_string(), row.value.clone())).collect();
        self.page.fact("shown", json!(rows));
        self.page.fact("sd_hash", reading.release.sd_hash.to_string());
        self.page.fact("release", reading.release.binding.jti.to_string());
        self.page.fact("ledger", json!({"index": reading.place().index(), "size": reading.place().checkpoint().size()}));
    }

    pub(super) async fn strangers(&mut self, read: &Read) -> Result<(), CliError> {
        let lang = self.page.lang();
        let mut answers: Vec<(String, Problem)> = Vec::new();
        for stranger in &self.cast.strangers {
            answers.push((self.cast.name(stranger.party(), lang), self.ask_as_stranger(stranger, &read.case).await?));
        }
        let [first, ..] = self.cast.strangers.as_slice() else { return Ok(()) };
        let invented = first.ids().case_id().map_err(ClientError::from)?;
        let nothing = self.ask_as_stranger(first, &invented).await?;
        let same = |problem: &Problem| problem.says_the_same(&nothing);
        must(
            answers.iter().all(|(_, problem)| same(problem)),
            "the answers tell the real case from an invented one",
            "答えから事案の有無がわかります",
        )?;

        let invented_name = text::INVENTED.say(lang, &[&self.cast.name(first.party(), lang)]);
        self.page.step("strangers", text::STRANGERS);
        self.page.say(text::STRANGERS_IS, &[]);
        let names: Vec<&str> = answers.iter().map(|(name, _)| name.as_str()).chain([invented_name.as_str()]).collect();
        self.page.refused_alike(&names, &nothing);
        self.page.gap();
        self.page.check(text::SAME_NOTHING, &[]);
        Ok(())
    }

    async fn ask_as_stranger(&self, stranger: &Client, case: &CaseId) -> Result<Problem, CliError> {
        let own = self.cast.about(stranger.party()).and_then(|party| party.purposes.first()).copied();
        refused(RefusalCode::NotFound, stranger.read_case(case, own.unwrap_or(Purpose::Administration)).await)
    }

    pub(super) async fn receipts(&mut self, referred: &Referred, read: &Read) -> Result<(), CliError> {
        let lang = self.page.lang();
        let purpose = Purpose::PlacementCoordination;
        let acknowledged = self.cast.municipality.acknowledge(&read.case, &read.placement, AckStatus::Received, purpose).await?;
        let receipts = self.cast.centre.receipts(&referred.case_at_sender, purpose).await?;
        let head = self.cast.centre.checkpoint().await?;
        let mut tree = self.cast.centre.tree(&head.head);
        for receipt in &receipts {
            tree.includes(receipt.claims().log.idx, &receipt.claims().log.leaf).await?;
            let msg = &receipt.claims().msg;
            must(
                msg.jti == referred.message.jti() && msg.sha256 == referred.message.digest(),
                "a receipt is about another message",
                "受領証が別のメッセージのものです",
            )?;
        }
        let all = [
            (ReceiptStatus::Accepted, referred.answer.place().index()),
            (ReceiptStatus::Released, read.placement.place().index()),
            (ReceiptStatus::Released, read.benefit.place().index()),
            (ReceiptStatus::Acknowledged, acknowledged.place().index()),
        ];
        let has = |(state, index): &(ReceiptStatus, u64)| receipts.iter().any(|r| r.claims().st == *state && r.claims().log.idx == *index);
        must(all.iter().all(has), "a receipt is missing", "足りない受領証があります")?;

        self.page.step("receipts", text::RECEIPTS);
        self.page.say(text::RECEIPTS_IS, &[&self.cast.name(self.cast.municipality.party(), lang)]);
        let columns = [text::COL_STATE, text::COL_TIME, text::COL_ENTRY].map(|line| line.say(lang, &[]));
        let mut table = Table::new(&columns.iter().map(String::as_str).zip([20, 19, 6]).collect::<Vec<_>>());
        for receipt in &receipts {
            let claims = receipt.claims();
            table.row([in_a_word(claims.st).say(lang, &[]), clock_time(claims.iat), claims.log.idx.to_string()]);
        }
        self.page.table(&table);
        self.accepted(&acknowledged);
        self.page.check(text::RECEIPTS_IN_TREE, &[]);
        self.page.fact("receipts", receipts.iter().map(|receipt| receipt.token().to_owned()).collect::<Vec<_>>());
        Ok(())
    }
}

/// `2026-11-21 08:30:00`.
pub(super) fn clock_time(time: crate::domain::time::Timestamp) -> String {
    time.to_string().get(..19).unwrap_or_default().replace('T', " ")
}

/// What a receipt says, in a word.
const fn in_a_word(status: ReceiptStatus) -> text::Line {
    match status {
        ReceiptStatus::Accepted => text::RECEIPT_ACCEPTED,
        ReceiptStatus::Released => text::RECEIPT_RELEASED,
        ReceiptStatus::Acknowledged => text::RECEIPT_ACKNOWLEDGED,
        ReceiptStatus::Uncollected => text::RECEIPT_UNCOLLECTED,
        ReceiptStatus::Refused => text::RECEIPT_REFUSED,
    }
}
