/** Rules of `acl`, as they are asked for each query. */
import type { CidrSet } from '../../../base/cidr.ts'
import type { IpAddress } from '../../../base/ip-address.ts'
import type { DnsName } from '../../../wire/dns/name.ts'

export const ACTIONS = ['allow', 'block', 'filter', 'drop'] as const
export type Action = (typeof ACTIONS)[number]
export const isAction = (text: string): text is Action => (ACTIONS as readonly string[]).includes(text)

export interface Policy {
  readonly action: Action
  /** Undefined: all types. */
  readonly types: ReadonlySet<number> | undefined
  /** Undefined: all addresses. */
  readonly networks: CidrSet | undefined
}

export interface Rule {
  readonly zones: readonly DnsName[]
  readonly policies: readonly Policy[]
}

/** What the first policy that means the query does; undefined where none does. */
export function actionOf(policies: readonly Policy[], address: IpAddress, type: number): Action | undefined {
  for (let index = 0; index < policies.length; index++) {
    const { action, types, networks } = policies[index]!
    if (types !== undefined && !types.has(type)) continue
    if (networks === undefined || networks.has(address)) return action
  }
  return undefined
}
