"""What tells somebody: one alarm for each thing that should not happen even once a minute."""

from perdure.codec import Json

__all__ = ["alarm"]

MEASURED = {"Machine": ("AWS/States", "StateMachineArn"), "Api": ("AWS/ApiGateway", "ApiId")}
"""Whose metrics are whose, beside those of functions
(apigateway/latest/developerguide/http-api-metrics.html, 2026-11-23)."""


def alarm(metric: str, says: str, of: str, topic: dict[str, Json]) -> dict[str, Json]:
    """An alarm on a metric of the machine, the API or a function, by its name in the template."""
    namespace, dimension = MEASURED.get(of, ("AWS/Lambda", "FunctionName"))
    named: dict[str, Json] = {"Name": dimension, "Value": {"Ref": of}}
    actions: list[Json] = ["HasAlarmTopic", [topic], {"Ref": "AWS::NoValue"}]
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": says,
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [named],
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": {"Fn::If": actions},
        },
    }
