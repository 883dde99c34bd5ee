/** Orders nodes that are as good as each other by their weights and the prefix of the client: see `rendezvous.ts`. */
import { nodeSeed, rendezvousCost } from '../rendezvous.ts'
import { type Filter, ordered, without } from './filter.ts'

export const weight: Filter = (candidates, { nodes, bucket }) => {
  const weighty = without(candidates, ({ node }) => (nodes[node]!.weight > 0 ? undefined : 'its weight is 0'))
  const { kept, removed } = weighty.kept.length > 0 ? weighty : { kept: candidates, removed: [] }
  return {
    kept: ordered(kept, ({ node }) =>
      rendezvousCost(nodeSeed(nodes[node]!.name), bucket, nodes[node]!.weight),
    ),
    removed,
  }
}
