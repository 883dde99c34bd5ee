/** Where secrets of units lie in the log: for whoever changes the key that they are sealed with. */
import type { SealedKind } from '../contract/secrets.ts'
import { type EnvValue, recordKey, secretContext, type VersionRecord } from './records.ts'

const PREFIX = 'unit-version/'

export const SEALED_VERSIONS: SealedKind = {
  prefix: PREFIX,
  what: 'version',
  reseal(key, value, change) {
    const [name = '', version = ''] = key.slice(PREFIX.length).split('/')
    if (key !== recordKey(name, Number(version))) return undefined
    const record = JSON.parse(value) as VersionRecord
    const entries = Object.entries(record.env)
    if (!entries.some(([, held]) => 'sealed' in held)) return undefined
    const env = entries.map(([variable, held]): [string, EnvValue] =>
      'sealed' in held
        ? [variable, { sealed: change(held.sealed, secretContext(name, variable)) }]
        : [variable, held],
    )
    return JSON.stringify({ ...record, env: Object.fromEntries(env) })
  },
}
