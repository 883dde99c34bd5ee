/** The Corefile that the configuration names, as workers are given it. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { EdgeError } from '../../base/errors.ts'
import type { Config } from '../../config/schema.ts'
import type { ServedDns } from '../../contract/messages.ts'

/** Throws `file-unreadable`. What stands in the file is for the workers to judge. */
export function servedDns({ dns }: Config, before?: ServedDns): ServedDns | undefined {
  if (dns === undefined) return undefined
  const { corefile, doh } = dns
  let text: string
  try {
    text = readFileSync(corefile, 'utf8')
  } catch (error) {
    throw new EdgeError('file-unreadable', `dns.corefile: ${(error as Error).message}`, { cause: error })
  }
  return {
    revision: (before?.revision ?? 0) + 1,
    cookieSecret: before?.cookieSecret ?? randomBytes(16),
    // Named as its folder has it: that is what people call it.
    corefile: { text, file: basename(corefile), folder: dirname(corefile) },
    ...(doh && { doh: { path: doh.path, hosts: new Set(doh.hosts) } }),
  }
}
