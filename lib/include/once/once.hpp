// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

// Everything. Each header also stands alone.
#include <once/advise.hpp>
#include <once/claim.hpp>
#include <once/cloud_event.hpp>
#include <once/consumer.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/fence.hpp>
#include <once/fingerprint.hpp>
#include <once/inbox.hpp>
#include <once/json_lines_publisher.hpp>
#include <once/lease.hpp>
#include <once/message.hpp>
#include <once/message_id.hpp>
#include <once/migrations.hpp>
#include <once/operation_worker.hpp>
#include <once/options.hpp>
#include <once/outcome.hpp>
#include <once/phase.hpp>
#include <once/postgres_publisher.hpp>
#include <once/publish.hpp>
#include <once/publisher.hpp>
#include <once/relay.hpp>
#include <once/reply.hpp>
#include <once/repository.hpp>
#include <once/request.hpp>
#include <once/request_window.hpp>
#include <once/response.hpp>
#include <once/resumable.hpp>
#include <once/statement.hpp>
#include <once/subscription.hpp>
#include <once/token.hpp>
#include <once/transaction.hpp>
#include <once/version.hpp>
