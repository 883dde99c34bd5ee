/** How versions in rollouts fare on the edges that follow this node, as they told it last. */
import type { RolloutHealth } from '../../contract/rollout.ts'
import type { EdgePlane } from '../../replication/edge-plane.ts'

/** What an edge counted stays true when it is away; of one that left in order nothing is to be waited for. */
export const edgeHealth = (plane: Pick<EdgePlane, 'edges'>): RolloutHealth => ({
  samples: () =>
    Promise.resolve(
      plane
        .edges()
        .flatMap(({ name, presence, rollouts }) =>
          presence === 'stopped' ? [] : rollouts.map((sample) => ({ ...sample, node: name })),
        ),
    ),
})
