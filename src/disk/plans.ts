/**
 * Which tiers a node has by its configuration, and where they lie: one for each site that asks for a disk of its own, and one that sites share
 * which say nothing of sizes.
 */
import { join } from 'node:path'
import { siteName } from '../config/site-name.ts'
import type { Config, DiskTierConfig, SiteConfig } from '../config/schema.ts'
import type { DiskTierPlan } from '../contract/disk-tier.ts'

export const SHARED_TIER = 'shared'
export const tierOfSite = (site: string): string => `site ${site}`

/** Everything below `folder` (in the data directory) is the cache's own. */
export function planTiers(
  sites: readonly SiteConfig[],
  shared: Config['edge']['cache'],
  folder: string,
): readonly DiskTierPlan[] {
  const own = sites.flatMap((site) => {
    const plan = planOfSite(site, folder)
    return plan === undefined ? [] : [plan]
  })
  const plan = planShared(shared, folder)
  return plan === undefined ? own : [...own, plan]
}

export function planOfSite(site: SiteConfig, folder: string): DiskTierPlan | undefined {
  const disk = site.cache?.disk
  if (disk === undefined) return undefined
  const name = siteName(site)
  return planOf(tierOfSite(name), disk, join(folder, 'sites', folderNameOf(name)))
}

export function planShared(shared: Config['edge']['cache'], folder: string): DiskTierPlan | undefined {
  return shared?.disk === undefined ? undefined : planOf(SHARED_TIER, shared.disk, join(folder, 'shared'))
}

function planOf(name: string, disk: DiskTierConfig, own: string): DiskTierPlan {
  const { size: bytesMax, path, objectBytes: objectBytesMax, policy, admission } = disk
  return {
    name,
    folder: path ?? own,
    isOwnFolder: path === undefined,
    bytesMax,
    objectBytesMax,
    policy,
    admission,
  }
}

/** No name of a site leads out of the folder, and no two make the same. */
export const folderNameOf = (site: string): string =>
  Buffer.from(site, 'utf8')
    .toString('latin1')
    .replace(/[^a-z0-9.-]|^\./g, (char) => `_${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
