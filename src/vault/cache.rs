//! A bounded cache of unwrapped data keys: when it is full, the oldest goes.

use std::collections::{HashMap, VecDeque};

use super::DataKey;
use crate::store::DataKeyId;

/// Keys by id, in order of arrival.
pub(super) struct KeyCache {
    keys: HashMap<DataKeyId, DataKey>,
    order: VecDeque<DataKeyId>,
    capacity: usize,
}

impl KeyCache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { keys: HashMap::new(), order: VecDeque::new(), capacity }
    }

    pub(super) fn get(&self, id: DataKeyId) -> Option<DataKey> {
        self.keys.get(&id).cloned()
    }

    pub(super) fn put(&mut self, id: DataKeyId, key: DataKey) {
        if self.keys.insert(id, key).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > self.capacity {
            if let Some(oldest) = self.order.pop_front() {
                self.keys.remove(&oldest);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.order.clear();
    }

    pub(super) fn remove(&mut self, id: DataKeyId) {
        if self.keys.remove(&id).is_some() {
            self.order.retain(|held| *held != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zeroize::Zeroizing;

    use super::*;

    fn id(n: u128) -> DataKeyId {
        DataKeyId(uuid::Uuid::from_u128(n))
    }

    fn key() -> DataKey {
        DataKey(Arc::new(Zeroizing::new([7; 32])))
    }

    #[test]
    fn the_oldest_key_goes_when_the_cache_is_full() {
        let mut cache = KeyCache::new(2);
        for n in 0..3 {
            cache.put(id(n), key());
        }
        assert!(cache.get(id(0)).is_none());
        assert!(cache.get(id(1)).is_some() && cache.get(id(2)).is_some());
    }

    #[test]
    fn a_key_put_twice_counts_once_and_a_removed_one_frees_its_place() {
        let mut cache = KeyCache::new(2);
        cache.put(id(0), key());
        cache.put(id(0), key());
        cache.put(id(1), key());
        assert!(cache.get(id(0)).is_some());
        cache.remove(id(0));
        cache.put(id(2), key());
        assert!(cache.get(id(1)).is_some() && cache.get(id(2)).is_some());
    }
}
