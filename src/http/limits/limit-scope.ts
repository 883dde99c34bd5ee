/** Which requests a limit is for: by method, by path as received, and not those of exempt addresses. */
import { CidrSet } from '../../base/cidr.ts'
import type { IpAddress } from '../../base/ip-address.ts'
import { matchPath, matchPattern } from '../../base/path-pattern.ts'
import { choosePath, compilePathTable, type PathTable } from '../../base/path-table.ts'
import type { LimitConfig } from '../../config/schema.ts'
import type { LimitedRequest } from './request-limit.ts'

export class LimitScope {
  /** It is for all requests. */
  readonly isAll: boolean
  private readonly methods: ReadonlySet<string> | undefined
  private readonly paths: PathTable<boolean> | undefined
  private readonly exempt: CidrSet | undefined

  constructor({ methods, paths, exempt }: Pick<LimitConfig, 'methods' | 'paths' | 'exempt'>) {
    // RFC 9110 §9.3.2: HEAD is GET without a body, and costs an origin the same.
    this.methods = methods && new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)
    this.paths =
      paths &&
      compilePathTable(
        paths.map((path) => [matchPattern(path), true] as const),
        false,
      )
    this.exempt = exempt.length === 0 ? undefined : CidrSet.of(exempt)
    this.isAll = methods === undefined && paths === undefined && this.exempt === undefined
  }

  has({ head, client }: LimitedRequest): boolean {
    if (this.methods !== undefined && !this.methods.has(head.method)) return false
    if (this.paths !== undefined && !choosePath(this.paths, matchPath(head.path))) return false
    if (this.exempt === undefined) return true
    const { ip } = client
    return ip === undefined || !this.exempt.has(ip)
  }

  exempts(ip: IpAddress): boolean {
    return this.exempt !== undefined && this.exempt.has(ip)
  }
}
