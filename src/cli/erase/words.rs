//! What an operator reads after an erasure: what is left in files of the database, and what to do about it.

use crate::{store::Leftover, text::Lang};

/// The word for it in machine output.
#[must_use]
pub(in crate::cli) const fn code(left: Leftover) -> &'static str {
    match left {
        Leftover::Nothing => "nothing",
        Leftover::Log => "log",
        Leftover::Owner => "owner",
    }
}

/// What is left, and the next step.
#[must_use]
pub(in crate::cli) const fn leftover(left: Leftover, lang: Lang) -> &'static str {
    match left {
        Leftover::Nothing => lang.of(
            "The database overwrote what was deleted and cut its log. Backups made before still hold the wrapped keys: delete them in time.",
            "データベースは消去した内容を上書きし、書込みログも切り詰めました。以前のバックアップには鍵が残っています。期限までに削除してください。",
        ),
        Leftover::Log => lang.of(
            "The database's log could not be cut because it is being read all the time. Run the same command again: it changes nothing else.",
            "読取りが続いているため、書込みログを切り詰められませんでした。同じコマンドをもう一度実行してください（ほかは何も変わりません）。",
        ),
        Leftover::Owner => lang.of(
            "PostgreSQL keeps deleted rows in its files until its owner runs VACUUM FULL, and its log and archives until they are recycled. Nothing in them opens without \
             the key-encryption key, but they hold the wrapped keys: VACUUM FULL, and let archives and backups expire in time.",
            "PostgreSQL は、所有者が VACUUM FULL を実行するまで消去した行をファイルに残し、ログとアーカイブにも残します。鍵暗号化鍵なしには開けませんが、\
             包まれた鍵が含まれます。VACUUM FULL を実行し、アーカイブとバックアップを期限までに削除してください。",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leftover_has_two_languages() {
        for left in [Leftover::Nothing, Leftover::Log, Leftover::Owner] {
            assert!(leftover(left, Lang::En).is_ascii() && !leftover(left, Lang::Ja).is_ascii(), "{}", code(left));
        }
    }
}
