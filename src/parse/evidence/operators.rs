//! Objects after which a namespace can hold pods that no manifest shows.

/// What an operator's objects may make pods of: the API group, or the end of it after a `.`, and kinds.
const MAKE_PODS: [(&str, &[&str]); 60] = [
    ("monitoring.coreos.com", &["Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler"]),
    (
        "kafka.strimzi.io",
        &[
            "Kafka",
            "KafkaNodePool",
            "KafkaConnect",
            "KafkaBridge",
            "KafkaMirrorMaker",
            "KafkaMirrorMaker2",
        ],
    ),
    (
        "platform.confluent.io",
        &["Kafka", "KRaftController", "Zookeeper", "Connect", "SchemaRegistry"],
    ),
    ("zookeeper.pravega.io", &["ZookeeperCluster"]),
    ("postgresql.cnpg.io", &["Cluster", "Pooler"]),
    ("acid.zalan.do", &["postgresql"]),
    ("postgres-operator.crunchydata.com", &["PostgresCluster", "PGAdmin"]),
    ("stackgres.io", &["SGCluster", "SGShardedCluster"]),
    ("kubegres.reactive-tech.io", &["Kubegres"]),
    (
        "percona.com",
        &["PerconaServerMongoDB", "PerconaXtraDBCluster", "PerconaServerMySQL", "PerconaPGCluster"],
    ),
    ("mongodbcommunity.mongodb.com", &["MongoDBCommunity"]),
    ("mongodb.com", &["MongoDB", "MongoDBOpsManager"]),
    ("mysql.oracle.com", &["InnoDBCluster"]),
    ("k8s.mariadb.com", &["MariaDB", "MaxScale"]),
    ("moco.cybozu.com", &["MySQLCluster"]),
    ("pingcap.com", &["TidbCluster", "TidbMonitor"]),
    ("planetscale.com", &["VitessCluster"]),
    ("crdb.cockroachlabs.com", &["CrdbCluster"]),
    ("yugabyte.com", &["YBCluster"]),
    (
        "k8s.elastic.co",
        &[
            "Elasticsearch",
            "Kibana",
            "ApmServer",
            "EnterpriseSearch",
            "Beat",
            "Agent",
            "ElasticMapsServer",
            "Logstash",
        ],
    ),
    ("opensearch.opster.io", &["OpenSearchCluster"]),
    ("databases.spotahome.com", &["RedisFailover"]),
    ("redis.opstreelabs.in", &["Redis", "RedisCluster", "RedisReplication", "RedisSentinel"]),
    ("app.redislabs.com", &["RedisEnterpriseCluster"]),
    ("dragonflydb.io", &["Dragonfly"]),
    ("rabbitmq.com", &["RabbitmqCluster"]),
    ("cassandra.datastax.com", &["CassandraDatacenter"]),
    ("k8ssandra.io", &["K8ssandraCluster"]),
    ("scylla.scylladb.com", &["ScyllaCluster"]),
    ("clickhouse.altinity.com", &["ClickHouseInstallation"]),
    ("clickhouse-keeper.altinity.com", &["ClickHouseKeeperInstallation"]),
    ("etcd.database.coreos.com", &["EtcdCluster"]),
    ("minio.min.io", &["Tenant"]),
    ("ceph.rook.io", &["CephCluster", "CephObjectStore", "CephFilesystem", "CephNFS"]),
    ("apps.kubeblocks.io", &["Cluster"]),
    ("vault.banzaicloud.com", &["Vault"]),
    ("k8s.keycloak.org", &["Keycloak"]),
    ("keycloak.org", &["Keycloak"]),
    ("jaegertracing.io", &["Jaeger"]),
    ("opentelemetry.io", &["OpenTelemetryCollector", "TargetAllocator"]),
    ("grafana.integreatly.org", &["Grafana"]),
    ("loki.grafana.com", &["LokiStack"]),
    ("tempo.grafana.com", &["TempoStack", "TempoMonolithic"]),
    (
        "operator.victoriametrics.com",
        &["VMAgent", "VMAlert", "VMAlertmanager", "VMAuth", "VMCluster", "VMSingle"],
    ),
    ("logging.banzaicloud.io", &["Logging", "FluentbitAgent", "FluentdConfig"]),
    ("serving.knative.dev", &["Service", "Configuration"]),
    ("serving.kserve.io", &["InferenceService"]),
    ("sparkoperator.k8s.io", &["SparkApplication", "ScheduledSparkApplication"]),
    ("flink.apache.org", &["FlinkDeployment", "FlinkSessionJob"]),
    ("ray.io", &["RayCluster", "RayService", "RayJob"]),
    ("kubeflow.org", &["Notebook", "PyTorchJob", "TFJob", "MPIJob"]),
    ("argoproj.io", &["Workflow", "CronWorkflow", "EventSource", "Sensor", "EventBus", "ArgoCD"]),
    ("tekton.dev", &["PipelineRun", "TaskRun", "EventListener"]),
    ("actions.summerwind.dev", &["Runner", "RunnerDeployment", "RunnerSet"]),
    ("actions.github.com", &["AutoscalingRunnerSet", "EphemeralRunnerSet"]),
    ("keda.sh", &["ScaledJob"]),
    (
        "apps.kruise.io",
        &["CloneSet", "StatefulSet", "DaemonSet", "AdvancedCronJob", "BroadcastJob"],
    ),
    ("kubevirt.io", &["VirtualMachine", "VirtualMachineInstance"]),
    ("gateway.networking.k8s.io", &["Gateway"]),
    ("install.istio.io", &["IstioOperator"]),
];

/// May an operator make pods of such an object, in its namespace?
pub(super) fn makes_pods(group: &str, kind: &str) -> bool {
    let inside = |known: &str| {
        group.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    MAKE_PODS.iter().any(|(known, kinds)| inside(known) && kinds.contains(&kind))
}

/// Is a kind of this name one of them?
pub(super) fn is_named(kind: &str) -> bool {
    MAKE_PODS.iter().any(|(_, kinds)| kinds.contains(&kind))
}
