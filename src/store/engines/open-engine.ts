/** The engine that a configuration names. What it is made of is loaded here and not before: a node without Redis has nothing of it. */
import type { EtcdStoreConfig, RedisStoreConfig } from '../../config/store-schema.ts'
import type { StoreEngine } from '../../contract/shared-log.ts'

export interface EngineOptions {
  /** Called where the engine is set up so that it may lose what was acknowledged. */
  readonly onWarning?: ((message: string) => void) | undefined
}

export type EngineConfig = RedisStoreConfig | EtcdStoreConfig

export async function openEngine(config: EngineConfig, options: EngineOptions = {}): Promise<StoreEngine> {
  if (config.kind === 'etcd') {
    const { openEtcdEngine } = await import('./etcd/etcd-engine.ts')
    return openEtcdEngine(config)
  }
  const { openRedisEngine } = await import('./redis/redis-engine.ts')
  return openRedisEngine(config, options)
}
