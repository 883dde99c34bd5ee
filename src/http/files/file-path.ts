/**
 * From the path of a request to the path of a file below the root.
 *
 * It is the path by which units are matched (`base/path-pattern.ts`): escapes decoded once, dot segments resolved, slashes
 * merged. So a unit that guards `/private/*` guards the files that are served for it, however the path was spelt; and dot
 * segments cannot lead above the root, since there is nothing above it to pop. Text is Latin-1, a character a byte.
 */
import { matchPath } from '../../base/path-pattern.ts'

export type FilePath =
  /** Begins with `/`; ends with one where a folder was asked for. */
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'refused'; readonly status: 400 | 404; readonly reason: string }

/** The one name with a dot that is for the public (RFC 8615). */
const WELL_KNOWN = '.well-known'

export function filePath(requestPath: string): FilePath {
  if (/%(?![0-9a-f]{2})/i.test(requestPath)) return refused(400, 'the path has a % without two digits')
  if (requestPath.includes('%00')) return refused(400, 'the path has a NUL')
  const path = matchPath(requestPath)
  const hidden = path.split('/').findIndex((segment) => segment.startsWith('.'))
  // Whether there is one is nobody's business.
  if (hidden !== -1 && !(hidden === 1 && path.startsWith(`/${WELL_KNOWN}/`) && !path.includes('/.', 2)))
    return refused(404, 'there is no such file')
  return { kind: 'path', path }
}

const refused = (status: 400 | 404, reason: string): FilePath => ({ kind: 'refused', status, reason })

/** As it stands in a URL. */
export const encodePath = (path: string): string =>
  path.replaceAll(
    /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
