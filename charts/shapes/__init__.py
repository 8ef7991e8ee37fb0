"""What apps are made of. An app's module takes what it needs from here and holds everything that is its own."""

from charts.shapes.app import App
from charts.shapes.container import Container, Health, Metrics, Port
from charts.shapes.job import CronJob, Job
from charts.shapes.network import Outside
from charts.shapes.pod import Permission, Pod, Priority
from charts.shapes.replicas import Replicas
from charts.shapes.resources import Range
from charts.shapes.stateful_set import StatefulSet
from charts.shapes.storage import ConfigFiles, EncryptedSecret, OwnVolume, Secret, Volume
from charts.shapes.web_app import WebApp, proxies
from charts.shapes.worker import Worker

__all__ = [
    "App",
    "ConfigFiles",
    "Container",
    "CronJob",
    "EncryptedSecret",
    "Health",
    "Job",
    "Metrics",
    "Outside",
    "OwnVolume",
    "Permission",
    "Pod",
    "Port",
    "Priority",
    "Range",
    "Replicas",
    "Secret",
    "StatefulSet",
    "Volume",
    "WebApp",
    "Worker",
    "proxies",
]
