//! What a person reads about agreements: findings in a draft, what a version changes, states and acts.

use super::Lang;
use crate::domain::{
    agreement::{AgreementAct, AgreementStanding, Effect, Part},
    codes::closed_list,
};

closed_list! {
    /// What can be wrong with a draft.
    Lint {
        Form = "form",
        Placeholder = "placeholder",
        PartyUnknown = "party_unknown",
        PartySuspended = "party_suspended",
        PartyIdle = "party_idle",
        SideOutside = "side_outside",
        SenderReveals = "sender_reveals",
        ClassNever = "class_never",
        ClassProhibited = "class_prohibited",
        PurposeIdle = "purpose_idle",
        PurposeUnregistered = "purpose_unregistered",
        FlowRepeated = "flow_repeated",
        SchemaUnknown = "schema_unknown",
        KindWithoutSchema = "kind_without_schema",
        PeriodEmpty = "period_empty",
        PeriodPast = "period_past",
        PeriodRetroactive = "period_retroactive",
        PeriodLong = "period_long",
        PurposeEntryMissing = "purpose_entry_missing",
        TermsMissing = "terms_missing",
        RetentionNone = "retention_none",
        DelegationFrom = "delegation_from",
        DelegationTo = "delegation_to",
        DelegationQualification = "delegation_qualification",
        DelegationOutside = "delegation_outside",
        DelegationPeriod = "delegation_period",
        AccedingKind = "acceding_kind",
        SchemaMissing = "schema_missing",
        SchemaUnknown = "schema_unknown",
        VersionNext = "version_next",
    }
}

impl Lint {
    /// Whether the draft can still be signed: it does less than it says, or something to think about.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        matches!(
            self,
            Self::PartySuspended
                | Self::PartyIdle
                | Self::PurposeIdle
                | Self::PurposeUnregistered
                | Self::FlowRepeated
                | Self::KindWithoutSchema
                | Self::PeriodRetroactive
                | Self::PeriodLong
                | Self::TermsMissing
                | Self::RetentionNone
        )
    }
}

/// What is wrong, and what to do about it.
#[must_use]
pub const fn lint(rule: Lint, lang: Lang) -> (&'static str, &'static str) {
    let ((en, remedy_en), (ja, remedy_ja)) = match rule {
        Lint::Form => (
            ("is not what the form of an agreement allows", "correct it after the template (`tsunagi agreement template`)"),
            ("協定の様式に合いません", "ひな形（`tsunagi agreement template`）に合わせて直してください"),
        ),
        Lint::Placeholder => (
            ("still holds the template's placeholder", "write what was agreed, or take the line out"),
            ("ひな形の記入欄のままです", "合意した内容を書くか、その行を削ってください"),
        ),
        Lint::PartyUnknown => (
            ("is no party of this gateway", "correct the code, or have the operator register the unit first"),
            ("このゲートウェイに登録されていない機関です", "番号を直すか、先に運営者に登録を依頼してください"),
        ),
        Lint::PartySuspended => (
            ("is suspended: it cannot sign now", "wait for its readmission, or leave it out"),
            ("登録が停止中の機関です。今は署名できません", "停止の解除を待つか、外してください"),
        ),
        Lint::PartyIdle => (
            ("signs, but no flow reaches it", "add a flow from or to it, or leave it out"),
            ("署名する機関ですが、送るものも受けるものもありません", "流れを加えるか、外してください"),
        ),
        Lint::SideOutside => (
            ("is neither a named party nor of a kind that may accede: nothing flows", "name the party, or let its kind accede"),
            ("当事者にも、加入できる種別にもありません。何も流れません", "当事者に加えるか、種別の加入を認めてください"),
        ),
        Lint::SchemaMissing => (
            (
                "flows, but no schema version of this kind is accepted: every such message is refused",
                "name the version in `schema_versions`",
            ),
            (
                "流れにありますが、受け付ける様式の版がありません。この種別のメッセージはすべて断られます",
                "`schema_versions` に版を書いてください",
            ),
        ),
        Lint::SchemaUnknown => (
            ("is no published schema version of this program", "name a version that `GET /v1/schemas` serves"),
            ("このプログラムが公開する様式の版ではありません", "`GET /v1/schemas` で配られる版を書いてください"),
        ),
        Lint::SenderReveals => (
            (
                "reaches a provider from a body whose name alone reveals criminal history: never permitted",
                "let the municipality or the core centre send to providers",
            ),
            (
                "名称だけで犯罪歴を推知させる機関から事業所へは、送ることができません",
                "事業所へは市町村または基幹相談支援センターから送る流れにしてください",
            ),
        ),
        Lint::ClassNever => (
            ("is permitted to this recipient by no policy, for none of the purposes and kinds", "take the class out of the flow"),
            ("この受け手には、どの利用目的・種別でも方針が開示を認めない情報区分です", "流れからその情報区分を外してください"),
        ),
        Lint::ClassProhibited => (("may never be exchanged", "take the class out"), ("授受してはならない情報区分です", "外してください")),
        Lint::PurposeIdle => (
            ("opens no class of the flow to this recipient", "take the purpose out, or correct the classes"),
            ("この利用目的では、流れのどの情報区分も受け手に開示されません", "利用目的を外すか、情報区分を見直してください"),
        ),
        Lint::PurposeUnregistered => (
            (
                "is not registered for the recipient: it cannot read for it",
                "have the operator add it to the unit's registration, or take it out",
            ),
            ("受け手に登録されていない利用目的です。その目的では読めません", "運営者に登録の変更を依頼するか、外してください"),
        ),
        Lint::FlowRepeated => (("stands twice", "keep it once"), ("同じ流れが二度書かれています", "一つにしてください")),
        Lint::SchemaUnknown => (
            ("is no published version of a form", "name the versions that `/.well-known/tsunagi` lists"),
            ("公開されていない様式の版です", "`/.well-known/tsunagi` にある版を書いてください"),
        ),
        Lint::KindWithoutSchema => (
            (
                "stands in a flow, but no version of its form is accepted: no such message can be sent",
                "add the version of its form, or take the kind out",
            ),
            (
                "流れにありますが、様式の版が挙げられていません。その種別のメッセージは送れません",
                "様式の版を加えるか、種別を外してください",
            ),
        ),
        Lint::PeriodEmpty => (
            ("the end is not behind the beginning", "correct `from` and `until`"),
            ("終わりが始まりより後ではありません", "`from` と `until` を直してください"),
        ),
        Lint::PeriodPast => (("the period is over already", "correct `until`"), ("期間がすでに過ぎています", "`until` を直してください")),
        Lint::PeriodRetroactive => (
            ("the period begins in the past: it is in force only from the last signature", "set `from` to a day by which all have signed"),
            ("始まりが過去です。効力は全員の署名がそろってからです", "全員の署名がそろう日を `from` にしてください"),
        ),
        Lint::PeriodLong => (
            ("the period is longer than five years", "agree on a shorter one, and renew it by a next version"),
            ("期間が5年を超えます", "短い期間とし、次の版で更新してください"),
        ),
        Lint::PurposeEntryMissing => (
            (
                "the entry of the purpose of use is missing (個人情報保護法 61条, 75条)",
                "name the entry of the register of personal information files that these exchanges rest on",
            ),
            (
                "利用目的の根拠（個人情報ファイル簿等の項）がありません（個人情報保護法61条・75条）",
                "この授受が基づく個人情報ファイル簿等の項を書いてください",
            ),
        ),
        Lint::TermsMissing => (
            ("there are no handling terms (個人情報保護法 70条)", "write what the recipients must observe"),
            ("取扱いの条件がありません（個人情報保護法70条）", "受け手が守ることを書いてください"),
        ),
        Lint::RetentionNone => (
            ("nothing received may be kept", "write for how many months it may, if that is not meant"),
            ("受け取ったものを保存できない定めです", "そのつもりでなければ、保存できる月数を書いてください"),
        ),
        Lint::DelegationFrom => {
            (("only a municipality delegates", "correct who delegates"), ("委託できるのは市町村だけです", "委託する機関を直してください"))
        }
        Lint::DelegationTo => (
            ("only a core centre acts for a municipality", "correct the delegate"),
            ("受託できるのは基幹相談支援センター等だけです", "受託する機関を直してください"),
        ),
        Lint::DelegationQualification => (
            (
                "the delegate's qualification, 主任相談支援専門員, is not named",
                "name it, if the delegate has one placed; otherwise it cannot act",
            ),
            ("受託者の資格（主任相談支援専門員）が書かれていません", "配置があれば書いてください。なければ委託できません"),
        ),
        Lint::DelegationOutside => (
            ("a delegation names a body that the agreement does not bind", "name both bodies as parties"),
            ("委託の一方が、この協定の当事者ではありません", "双方を当事者に加えてください"),
        ),
        Lint::DelegationPeriod => (
            ("the delegation does not end within the period of the agreement", "let it end with the agreement or before"),
            ("委託の期限が協定の期間内にありません", "協定の期間内に終わるようにしてください"),
        ),
        Lint::AccedingKind => (
            ("auditors and operators are no parties to exchanges", "take the kind out"),
            ("監査・運営者は授受の当事者になりません", "その種別を外してください"),
        ),
        Lint::VersionNext => (
            ("is not the next version of this agreement", "correct `id` or `ver`"),
            ("この協定の次の版ではありません", "`id` または `ver` を直してください"),
        ),
    };
    match lang {
        Lang::En => (en, remedy_en),
        Lang::Ja => (ja, remedy_ja),
    }
}

/// What a part of an agreement is called.
#[must_use]
pub const fn part(part: Part, lang: Lang) -> &'static str {
    let (en, ja) = match part {
        Part::Title => ("title", "題名"),
        Part::Party => ("parties", "当事者"),
        Part::Acceding => ("kinds that may accede", "加入できる種別"),
        Part::SchemaVersion => ("schema versions accepted", "受け付ける様式の版"),
        Part::Flow => ("flow", "流れ"),
        Part::Kind => ("message kinds", "メッセージ種別"),
        Part::Purpose => ("purposes", "利用目的"),
        Part::Class => ("classes of information", "情報区分"),
        Part::Basis => ("legal bases", "提供根拠"),
        Part::SchemaVersion => ("versions of the forms accepted", "受け付ける様式の版"),
        Part::PurposeEntry => ("entry of the purpose of use", "利用目的の根拠"),
        Part::Term => ("handling terms", "取扱いの条件"),
        Part::From => ("beginning", "始まり"),
        Part::Until => ("end", "終わり"),
        Part::Retention => ("months of retention", "保存する月数"),
        Part::Delegation => ("delegations", "委託"),
    };
    lang.of(en, ja)
}

/// What a change does to what may be exchanged.
#[must_use]
pub const fn effect(effect: Effect, lang: Lang) -> &'static str {
    let (en, ja) = match effect {
        Effect::Widens => ("wider", "広がる"),
        Effect::Narrows => ("narrower", "狭まる"),
        Effect::Neither => ("neither wider nor narrower by itself", "広がりも狭まりもしない"),
    };
    lang.of(en, ja)
}

/// The state of a version.
#[must_use]
pub const fn standing(standing: AgreementStanding, lang: Lang) -> &'static str {
    let (en, ja) = match standing {
        AgreementStanding::Proposed => ("proposed", "提案中"),
        AgreementStanding::InForce => ("in force", "有効"),
        AgreementStanding::Suspended => ("suspended", "停止中"),
        AgreementStanding::Revoked => ("revoked", "解除済み"),
        AgreementStanding::Expired => ("expired", "期間満了"),
        AgreementStanding::Superseded => ("superseded", "次の版に交替"),
    };
    lang.of(en, ja)
}

/// What a party said.
#[must_use]
pub const fn act(act: AgreementAct, lang: Lang) -> &'static str {
    let (en, ja) = match act {
        AgreementAct::Accept => ("accepted", "承諾"),
        AgreementAct::Reject => ("rejected", "拒否"),
        AgreementAct::Accede => ("acceded", "加入"),
        AgreementAct::Suspend => ("suspended", "停止"),
        AgreementAct::Resume => ("resumed", "再開"),
        AgreementAct::Revoke => ("revoked", "解除"),
    };
    lang.of(en, ja)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_says_in_both_languages_what_is_wrong_and_what_to_do() {
        for rule in Lint::ALL {
            let ((en, do_en), (ja, do_ja)) = (lint(*rule, Lang::En), lint(*rule, Lang::Ja));
            for text in [en, do_en, ja, do_ja] {
                assert!(!text.is_empty(), "{rule}");
            }
            let japanese = |text: &str| text.chars().any(|c| ('\u{3040}'..='\u{30ff}').contains(&c));
            assert!(japanese(ja) && japanese(do_ja) && !japanese(en) && !japanese(do_en), "{rule}");
        }
    }
}
