/** Makes sure before a node starts, and before a reload, that files which workers open later can be used. */
import { EdgeError } from '../base/errors.ts'
import type { Config } from '../config/schema.ts'
import { readAuthorities } from '../tls/certificate.ts'
import { assertLogsWritable } from './log-paths.ts'

export function assertFilesUsable(config: Config): void {
  assertLogsWritable(config)
  const { ca } = config.edge.fetch
  if (ca === undefined) return
  try {
    readAuthorities(ca)
  } catch (error) {
    throw new EdgeError('certificate-invalid', `edge.fetch.ca: ${(error as Error).message}`, { cause: error })
  }
}
