/** Whether somebody is one of those that a line names. */
import type { DnsQuery } from '../../../contract/dns.ts'
import type { Believed } from './config.ts'

export const believes = (believed: Believed, query: DnsQuery): boolean =>
  believed === 'any' || (believed !== 'off' && believed.has(query.address()))
