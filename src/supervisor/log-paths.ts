/**
 * Makes sure before a node starts, and before a change goes live, that access logs can be written: a wrong path is a mistake in the
 * configuration, and said at once.
 *
 * What goes wrong later (a disk that is full, a folder that is gone) ends nothing: see `http/access-log/log-file.ts`.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { EdgeError } from '../base/errors.ts'
import { checkSite } from '../config/check.ts'
import { siteWithAbsolutePaths } from '../config/load.ts'
import type { AccessLogConfig, Config, SiteInput } from '../config/schema.ts'

const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants

export function assertLogsWritable({ edge, sites }: Config): void {
  assertWritable([...edge.accessLog, ...sites.flatMap(({ accessLog }) => accessLog ?? [])])
}

/** Of sites as they are written, and were checked. */
export function assertSiteLogsWritable(sites: readonly SiteInput[], folder: string): void {
  const logs = sites.flatMap((input) => {
    const checked = checkSite(input)
    return checked.kind === 'site' ? (siteWithAbsolutePaths(checked.site, folder).accessLog ?? []) : []
  })
  assertWritable(logs)
}

function assertWritable(logs: readonly AccessLogConfig[]): void {
  for (const path of new Set(logs.map((log) => log.path))) {
    if (path === 'stdout') continue
    try {
      closeSync(openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      // Full is not wrong; a named pipe may get its reader yet.
      if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'ENXIO') continue
      throw new EdgeError('log-unwritable', `the access log ${path} cannot be opened: ${message}`, {
        cause: error,
      })
    }
  }
}
