/** Around a sandbox there are several walls. Where this machine lacks the means for one, the operator is told. */
const WALLS = { 'no-network': 'a network namespace of their own', 'no-new-privileges': '`no_new_privs`' }

/** A line for the operator; undefined where all of them stand. */
export function weakWalls(protections: readonly string[]): string | undefined {
  const missing = Object.entries(WALLS).filter(([wall]) => !protections.includes(wall))
  if (missing.length === 0) return undefined
  return (
    `sandboxes run without ${missing.map(([, text]) => text).join(' and ')}: that needs unshare and setpriv (util-linux), and root or user namespaces; ` +
    "Node's permission model still refuses units files, children and network"
  )
}
