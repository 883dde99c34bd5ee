/** `orla packet`: the commands around the packet plane. */
import type { CommandGroup } from '../command.ts'

export const command: CommandGroup = {
  name: 'packet',
  text: 'Around the packet plane: XDP programs on network interfaces.',
  commands: {
    watch: {
      summary: 'count the packets of an interface by destination port',
      load: () => import('./packet/watch.ts'),
    },
    status: {
      summary: 'tell where the packet plane of a node is, and what it counted and dropped',
      load: () => import('./packet/status.ts'),
    },
    load: {
      summary: 'compile an XDP program of your own, run it, and print its maps at the end',
      load: () => import('./packet/load.ts'),
    },
  },
}
