/** `orla cache`: the commands around the cache. */
import type { CommandGroup } from '../command.ts'

export const command: CommandGroup = {
  name: 'cache',
  text: 'Around the cache of answers.',
  commands: {
    stats: {
      summary: 'tell what the caches hold, and what they did',
      load: () => import('./cache/stats.ts'),
    },
    top: {
      summary: 'list the objects that are asked for most',
      load: () => import('./cache/top.ts'),
    },
    explain: {
      summary: 'tell what the cache makes of a URL: its key, and what is stored',
      load: () => import('./cache/explain.ts'),
    },
    sim: {
      summary: 'try replacement policies on a trace or an access log, and say which one to choose',
      load: () => import('./cache/sim.ts'),
    },
  },
}
