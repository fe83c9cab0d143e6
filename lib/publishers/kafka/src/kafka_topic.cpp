// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "kafka_topic.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <string_view>

namespace once::kafka {

namespace {

struct destroy {
    void operator()(struct rd_kafka_metadata const* one) const noexcept { rd_kafka_metadata_destroy(one); }
    void operator()(rd_kafka_topic_t* one) const noexcept { rd_kafka_topic_destroy(one); }
    void operator()(rd_kafka_ConfigResource_t* one) const noexcept { rd_kafka_ConfigResource_destroy(one); }
    void operator()(rd_kafka_AdminOptions_t* one) const noexcept { rd_kafka_AdminOptions_destroy(one); }
    void operator()(rd_kafka_queue_t* one) const noexcept { rd_kafka_queue_destroy(one); }
    void operator()(rd_kafka_event_t* one) const noexcept { rd_kafka_event_destroy(one); }
};

template <class Number>
std::optional<Number> number_in(char const* text) {
    Number value{};
    std::string_view const digits{text == nullptr ? "" : text};
    auto const read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return read.ec == std::errc{} ? std::optional{value} : std::nullopt;
}

void take_settings(topic& to, rd_kafka_ConfigResource_t const* resource) {
    std::size_t count = 0;
    auto const* const* const entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (std::size_t i = 0; i < count; ++i) {
        std::string_view const name{rd_kafka_ConfigEntry_name(entries[i])};
        if (name == "max.message.bytes") {
            to.max_message_bytes = number_in<std::int64_t>(rd_kafka_ConfigEntry_value(entries[i]));
        } else if (name == "min.insync.replicas") {
            to.min_insync_replicas = number_in<int>(rd_kafka_ConfigEntry_value(entries[i]));
        }
    }
}

// Needs the right DESCRIBE_CONFIGS. Without it limits are found out by messages that pass them.
void ask_for_settings(producer& from, std::string const& name, topic& to, time_point deadline) {
    std::unique_ptr<rd_kafka_queue_t, destroy> const queue{rd_kafka_queue_new(from.handle())};
    std::unique_ptr<rd_kafka_ConfigResource_t, destroy> const resource{
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str())};
    std::unique_ptr<rd_kafka_AdminOptions_t, destroy> const options{
        rd_kafka_AdminOptions_new(from.handle(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)};
    auto const patience = std::clamp(milliseconds_until(deadline), 1, 2'000);
    rd_kafka_AdminOptions_set_request_timeout(options.get(), patience, nullptr, 0);
    std::array<rd_kafka_ConfigResource_t*, 1> wanted{resource.get()};
    rd_kafka_DescribeConfigs(from.handle(), wanted.data(), wanted.size(), options.get(), queue.get());
    std::unique_ptr<rd_kafka_event_t, destroy> const event{rd_kafka_queue_poll(queue.get(), patience)};
    auto const* const result = event ? rd_kafka_event_DescribeConfigs_result(event.get()) : nullptr;
    if (result == nullptr) {
        return;
    }
    std::size_t count = 0;
    auto const* const* const found = rd_kafka_DescribeConfigs_result_resources(result, &count);
    for (std::size_t i = 0; i < count; ++i) {
        if (rd_kafka_ConfigResource_error(found[i]) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            take_settings(to, found[i]);
        }
    }
}

} // namespace

bool is_topic_name(std::string const& name) {
    constexpr std::size_t longest = 249;
    return !name.empty() && name.size() <= longest && name != "." && name != ".." &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
           });
}

std::optional<topic> look_at(producer& from, std::string const& name, time_point deadline) {
    std::unique_ptr<rd_kafka_topic_t, destroy> const handle{
        rd_kafka_topic_new(from.handle(), name.c_str(), nullptr)};
    struct rd_kafka_metadata const* raw = nullptr;
    auto const status =
        rd_kafka_metadata(from.handle(), 0, handle.get(), &raw, std::max(milliseconds_until(deadline), 1));
    std::unique_ptr<struct rd_kafka_metadata const, destroy> const about{raw};
    if (status != RD_KAFKA_RESP_ERR_NO_ERROR || about->topic_cnt != 1) {
        return {};
    }
    topic made;
    std::span const partitions{about->topics[0].partitions,
                               static_cast<std::size_t>(about->topics[0].partition_cnt)};
    if (!partitions.empty()) {
        made.replicas =
            std::ranges::min(partitions, {}, &rd_kafka_metadata_partition::replica_cnt).replica_cnt;
    }
    switch (about->topics[0].err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        ask_for_settings(from, name, made, deadline);
        break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        made.problem = "there is no topic " + name;
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        made.problem = "no right to write to the topic " + name;
        break;
    default:
        made.problem = std::string{rd_kafka_err2str(about->topics[0].err)} + " (topic " + name + ")";
    }
    return made;
}

} // namespace once::kafka
