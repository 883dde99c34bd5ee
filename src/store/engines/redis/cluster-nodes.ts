/** `CLUSTER NODES`: `ID IP:PORT@BUS[,HOST] FLAGS MASTER PING PONG EPOCH LINK SLOTS…`, a line for each server. */

export interface ClusterNode {
  readonly id: string
  /** The beginning of the id, as people tell servers apart. */
  readonly name: string
  readonly address: string
  readonly role: 'master' | 'replica'
  readonly masterId: string
  readonly isHealthy: boolean
  /** `0-5460`, or empty. */
  readonly slots: string
}

export const parseNodes = (text: string): readonly ClusterNode[] =>
  text
    .split('\n')
    .map((line) => line.trim().split(' '))
    .filter((parts) => parts.length >= 8)
    .map((parts) => {
      const [id, where, flagsText, masterId] = parts as [string, string, string, string]
      const [link, ...slots] = parts.slice(7)
      const flags = flagsText.split(',')
      const isLost = ['fail', 'fail?', 'handshake', 'noaddr'].some((flag) => flags.includes(flag))
      return {
        id,
        name: id.slice(0, 8),
        address: where.slice(0, where.indexOf('@') < 0 ? undefined : where.indexOf('@')),
        role: flags.includes('slave') ? ('replica' as const) : ('master' as const),
        masterId,
        isHealthy: !isLost && (link === 'connected' || flags.includes('myself')),
        // Slots on their way stand in brackets, and belong to this server until they have gone.
        slots: slots.filter((range) => !range.startsWith('[')).join(' '),
      }
    })

export function problemOfCluster(
  fields: ReadonlyMap<string, string>,
  nodes: readonly ClusterNode[],
): string | undefined {
  if (fields.get('cluster_state') === 'ok') {
    const lost = nodes.find(({ role, slots, isHealthy }) => role === 'master' && slots !== '' && !isHealthy)
    return lost && `the master ${lost.address} with slots ${lost.slots} is not there`
  }
  const assigned = Number(fields.get('cluster_slots_assigned') ?? 0)
  if (assigned < 16_384) return `${16_384 - assigned} slots of the Cluster have no server`
  const lost = nodes.filter(({ slots, isHealthy }) => slots !== '' && !isHealthy)
  const names = lost.map(({ address, slots }) => `${address} (slots ${slots})`).join(', ')
  return `the Cluster takes no writes: ${names === '' ? 'it has no majority of masters' : `no master for ${names}`}`
}
