/** A call of a unit, as the sandbox hands it to the worker. */
import { type CallAccount, type CallKind, type HostCall, newCallAccount } from '../contract/host-calls.ts'
import { DEFAULT_MANIFEST, type UnitVersion } from '../contract/unit.ts'

/** `head` as JSON, where it is none yet. `of`: what the unit has beside a name. */
export function callOf(
  kind: CallKind,
  head: unknown,
  { account = newCallAccount(), of = {} }: { account?: CallAccount; of?: Partial<UnitVersion> } = {},
): HostCall {
  const unit: UnitVersion = {
    name: 'gate',
    version: 1,
    code: '',
    sourceMap: '',
    phases: 2,
    manifest: DEFAULT_MANIFEST,
    env: {},
    ...of,
  }
  const text = typeof head === 'string' ? head : JSON.stringify(head)
  return { unit, kind, head: text, body: '', isBytes: false, account }
}
