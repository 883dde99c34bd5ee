/**
 * What a site answers for: each of its hosts with each of its paths. Two sites may share a host or a path, not both: which of them
 * answers must not depend on their order.
 */
import { matchPattern } from '../base/path-pattern.ts'

export interface Claim {
  /** As requests have it: in lower case, without a dot at its end. */
  readonly host: string
  /** As paths are compared; `/*` for all. */
  readonly path: string
  /** Where it stands in the site: `hosts[0]`, or `paths[0]` where the site has paths. */
  readonly at: string
}

export const ALL_PATHS: readonly string[] = ['/*']

/** Of a site as it was written, or as it was read. */
export function claimsOf({
  hosts = ['*'],
  paths = ALL_PATHS,
}: {
  readonly hosts?: readonly string[] | undefined
  readonly paths?: readonly string[] | undefined
}): readonly Claim[] {
  const hasAll = paths.length === 1 && paths[0] === '/*'
  const matched = paths.map(matchPattern)
  return hosts.map(plainHost).flatMap((host, hostIndex) =>
    matched.map((path, pathIndex) => ({
      host,
      path,
      at: hasAll ? `hosts[${hostIndex}]` : `paths[${pathIndex}]`,
    })),
  )
}

/** `the host "tv.example.org" with the path "/hls/*"`; without the path where that is all of them. */
export const claimText = ({ host, path }: Claim): string =>
  path === '/*' ? `the host "${host}"` : `the host "${host}" with the path "${path}"`

/** One text for the same claim. No host has a slash. */
export const claimKey = ({ host, path }: Claim): string => host + path

/** As requests have it: `Example.org.` is `example.org`. */
export const plainHost = (host: string): string => host.toLowerCase().replace(/(?<=.)\.$/, '')
