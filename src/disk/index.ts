/** The tier of a cache on disk: files for bodies, an index in SQLite with one writer. It knows nothing of HTTP. */
export { KeeperLink } from './keeper-link.ts'
export { planOfSite, planShared } from './plans.ts'
export { WorkerTier } from './worker-tier.ts'
