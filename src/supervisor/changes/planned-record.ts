/** What a change of a unit would make live. */
import type { SqliteStore } from '../../store/sqlite-store.ts'
import { readRecord, recordKey, type VersionRecord } from '../../unit/records.ts'
import type { Plan } from './unit-changes.ts'
/** The version that would be live: one that is made, or one from before. */
export function plannedRecord(
  store: SqliteStore,
  { name, version, effects }: Plan,
): VersionRecord | undefined {
  const key = recordKey(name, version)
  const made = effects.find((effect) => effect.key === key && effect.operation === 'SET')
  if (made && 'value' in made) return JSON.parse(made.value) as VersionRecord
  return readRecord(store, name, version)
}
