#include "controller/admin/store_service.h"

#include <grpcpp/support/server_callback.h>

#include <utility>

#include "base/rpc_status.h"
#include "base/status_macros.h"
#include "controller/admin/backup_directory.h"
#include "controller/admin/long_operations.h"
#include "kindling/v1/admin.grpc.pb.h"
#include "storage/store_admin.h"

namespace kindling::controller {
namespace {

// What takes long is called back; the status is answered on the threads of questions.
using Base = v1::StoreService::WithCallbackMethod_CompactStore<
    v1::StoreService::WithCallbackMethod_BackupStore<
        v1::StoreService::WithCallbackMethod_VerifyStore<v1::StoreService::Service>>>;

double Number(uint64_t value) { return static_cast<double>(value); }

void WriteOperation(const LongOperations::Operation& operation, v1::StoreOperation* out) {
  out->set_name(operation.name);
  out->set_directory(operation.directory);
  out->set_started_ns(operation.started_ns);
  out->set_ended_ns(operation.ended_ns);
  out->set_error(std::string(operation.status.message()));
  out->set_done(Number(operation.done));
  out->set_total(Number(operation.total));
}

void WriteStatus(const storage::StoreStatus& status, v1::GetStoreStatusResponse* out) {
  out->set_store_id(status.id);
  out->set_format(static_cast<uint32_t>(status.format));
  out->set_directory(status.directory);
  out->set_bytes(Number(status.bytes));
  out->set_max_bytes(Number(status.max_bytes));
  out->set_free_bytes(Number(status.free_bytes));
  out->set_oldest_record_ns(status.oldest_ns);
  out->set_stopped(status.stopped);
  out->set_unsealed_batches(Number(status.unsealed_batches));
  out->set_unsealed_bytes(Number(status.unsealed_bytes));
  out->set_oldest_unsealed_ns(status.oldest_unsealed_ns);
  out->set_late_refused(Number(status.late_refused));
  out->set_write_stalls(Number(status.write_stalls));
  out->set_write_stall_seconds(status.write_stall_seconds);
  out->set_cache_hits(Number(status.cache_hits));
  out->set_cache_misses(Number(status.cache_misses));
  out->set_memory_bytes(Number(status.memory_bytes));
  out->set_memory_limit_bytes(Number(status.memory_limit_bytes));
  for (const storage::BucketStatus& bucket : status.buckets) {
    v1::StoreBucket* row = out->add_buckets();
    row->set_record_class(bucket.record_class);
    row->set_start_ns(bucket.start_ns);
    row->set_end_ns(bucket.end_ns);
    row->set_part(bucket.part);
    row->set_blocks(Number(bucket.blocks));
    row->set_rows(Number(bucket.rows));
    row->set_bytes(Number(bucket.bytes));
  }
  for (const std::string& fault : status.faults) out->add_faults(fault);
}

}  // namespace

class StoreService::Impl final : public Base {
 public:
  Impl(storage::StoreAdmin& admin, std::string backup_directory, const Access& access,
       const base::Clock& clock)
      : admin_(admin),
        backup_directory_(std::move(backup_directory)),
        access_(access),
        clock_(clock),
        operations_(clock) {}

  grpc::Status GetStoreStatus(grpc::ServerContext* context, const v1::GetStoreStatusRequest*,
                              v1::GetStoreStatusResponse* response) override {
    const absl::Status admitted = access_.Admit(*context).status();
    if (!admitted.ok()) return base::ToRpcStatus(admitted);
    const absl::StatusOr<storage::StoreStatus> status = admin_.GetStatus();
    if (!status.ok()) return base::ToRpcStatus(status.status());
    WriteStatus(*status, response);
    const LongOperations::State state = operations_.state();
    if (state.running) WriteOperation(*state.running, response->mutable_running());
    if (state.last) WriteOperation(*state.last, response->mutable_last());
    return grpc::Status::OK;
  }

  grpc::ServerUnaryReactor* CompactStore(grpc::CallbackServerContext* context,
                                         const v1::CompactStoreRequest*,
                                         v1::CompactStoreResponse* response) override {
    return Run(context, "compaction", "", [this, response]() -> absl::Status {
      const int64_t started_ns = clock_.WallNs();
      ASSIGN_OR_RETURN(const storage::StoreStatus before, admin_.GetStatus());
      RETURN_IF_ERROR(admin_.Compact());
      ASSIGN_OR_RETURN(const storage::StoreStatus after, admin_.GetStatus());
      response->set_bytes_before(Number(before.bytes));
      response->set_bytes_after(Number(after.bytes));
      response->set_seconds(SecondsSince(started_ns));
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* BackupStore(grpc::CallbackServerContext* context,
                                        const v1::BackupStoreRequest* request,
                                        v1::BackupStoreResponse* response) override {
    const absl::Status admitted = access_.Admit(*context).status();
    if (!admitted.ok()) return Refuse(context, admitted);
    const absl::StatusOr<std::string> directory =
        ResolveBackupDirectory(backup_directory_, request->directory(), clock_.WallNs());
    if (!directory.ok()) return Refuse(context, directory.status());
    return Run(context, "backup", *directory, [this, response, directory]() -> absl::Status {
      const int64_t started_ns = clock_.WallNs();
      RETURN_IF_ERROR(admin_.Backup(*directory));
      response->set_directory(*directory);
      response->set_bytes(Number(BytesBelow(*directory)));
      response->set_seconds(SecondsSince(started_ns));
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* VerifyStore(grpc::CallbackServerContext* context,
                                        const v1::VerifyStoreRequest*,
                                        v1::VerifyStoreResponse* response) override {
    return Run(context, "verification", "", [this, response]() -> absl::Status {
      const int64_t started_ns = clock_.WallNs();
      ASSIGN_OR_RETURN(const storage::VerifyReport report,
                       admin_.Verify([this](uint64_t done, uint64_t total) {
                         operations_.SetProgress(done, total);
                       }));
      response->set_blocks(Number(report.blocks));
      response->set_rows(Number(report.rows));
      response->set_bytes(Number(report.bytes));
      response->set_damaged_blocks(Number(report.damaged_blocks));
      for (const std::string& fault : report.faults) response->add_faults(fault);
      response->set_seconds(SecondsSince(started_ns));
      return absl::OkStatus();
    });
  }

 private:
  static grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context,
                                          const absl::Status& status) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(base::ToRpcStatus(status));
    return reactor;
  }

  // `work` writes to the response, which lives until the reactor has finished.
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const char* name,
                                std::string directory, std::function<absl::Status()> work) {
    absl::Status status = access_.Admit(*context).status();
    if (!status.ok()) return Refuse(context, status);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    status = operations_.Start(
        name, std::move(directory), std::move(work),
        [reactor](const absl::Status& ended) { reactor->Finish(base::ToRpcStatus(ended)); });
    if (!status.ok()) reactor->Finish(base::ToRpcStatus(status));
    return reactor;
  }

  double SecondsSince(int64_t started_ns) const {
    return static_cast<double>(clock_.WallNs() - started_ns) / 1e9;
  }

  storage::StoreAdmin& admin_;
  const std::string backup_directory_;
  const Access& access_;
  const base::Clock& clock_;
  LongOperations operations_;
};

StoreService::StoreService(storage::StoreAdmin& admin, std::string backup_directory,
                           const Access& access, const base::Clock& clock)
    : impl_(std::make_unique<Impl>(admin, std::move(backup_directory), access, clock)) {}
StoreService::~StoreService() = default;

grpc::Service* StoreService::service() { return impl_.get(); }

}  // namespace kindling::controller
